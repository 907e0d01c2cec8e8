//! Conversations, as OpenAI has them: made, looked at, changed, deleted, and what was said in them. A conversation of
//! somebody else does not exist.

use aws_lc_rs::rand;
use http::Method;
use net::Request;
use serde_json::{Value, json};
use types::{
    Fault, Kind, Result,
    ports::{
        Moment,
        jobs::Owner,
        sessions::{Item, NewSession, SessionId},
    },
};
use wire::openai::responses::{self, Brought};

use super::{
    items::Show,
    pages::{Page, list},
    responses::shown,
};
use crate::{
    Gateway,
    doors::{Answer, body_fault},
    router::Route,
    sessions::kept_items,
    steps::authenticate::authenticate,
};

/// Answers about conversations: `rest` is what of the path stands behind them.
///
/// # Errors
/// `NotFound` when the caller has no such conversation or item; what is wrong with the body or the query.
pub(crate) async fn answer(gateway: &Gateway, request: Request, route: Route, rest: &str) -> Result<Answer> {
    let owner = gateway.0.desk.owner(&authenticate(&request.headers)?);
    let (id, item) = match route {
        Route::ConversationItem => rest.split_once("/items/").unwrap_or((rest, "")),
        _ => (rest, ""),
    };
    let query = request.uri.query().unwrap_or_default().to_owned();
    let (method, desk) = (request.method.clone(), Desk { gateway, owner, show: Show::read(&query)? });
    let brought = if method == Method::POST { read(gateway, request).await? } else { Brought::default() };
    if route == Route::Conversations {
        return desk.create(brought).await;
    }
    let id = SessionId::parse_conversation(id).ok_or_else(missing)?;
    match (route, method) {
        (Route::ConversationItem, Method::DELETE) => desk.remove(&id, item).await,
        (Route::ConversationItem, _) => desk.item(&id, item).await,
        (Route::ConversationItems, Method::POST) => desk.add(&id, brought).await,
        (Route::ConversationItems, _) => Ok(shown(&Page::read(&query)?.cut(desk.items(&id).await?)?)),
        (_, Method::POST) => desk.amend(&id, brought).await,
        (_, Method::DELETE) => desk.delete(&id).await,
        _ => desk.shown(&id).await,
    }
}

async fn read(gateway: &Gateway, request: Request) -> Result<Brought> {
    let snapshot = gateway.snapshot();
    let until = request.received + snapshot.config.timeouts.body;
    let held = request.body.collect(snapshot.config.limits.body, until, &gateway.0.budget).await.map_err(body_fault)?;
    Brought::read(&held.bytes, &snapshot.json_limits)
}

/// One owner's conversations.
struct Desk<'a> {
    gateway: &'a Gateway,
    owner: Owner,
    show: Show,
}

impl Desk<'_> {
    async fn create(&self, brought: Brought) -> Result<Answer> {
        let (id, now) = (SessionId::conversation(random()?), crate::clock());
        let metadata = brought.metadata.unwrap_or_else(|| json!({}));
        let new = NewSession {
            id: id.clone(),
            owner: self.owner.clone(),
            previous: None,
            conversation: None,
            expires: self.expires(now),
            ended: true,
            asked: true,
            body: metadata.to_string().into(),
            items: named(&brought.items)?,
        };
        self.gateway.0.archive.sessions.create(new, now).await?;
        Ok(shown(&responses::conversation(id.as_str(), now.seconds(), &metadata)))
    }

    async fn shown(&self, id: &SessionId) -> Result<Answer> {
        let kept = self.gateway.0.archive.sessions.get(&self.owner, id, crate::clock()).await?.ok_or_else(missing)?;
        let metadata = serde_json::from_slice(&kept.body).unwrap_or_default();
        Ok(shown(&responses::conversation(id.as_str(), kept.created.seconds(), &metadata)))
    }

    async fn amend(&self, id: &SessionId, brought: Brought) -> Result<Answer> {
        let metadata = brought.metadata.ok_or_else(|| {
            Fault::new(Kind::BadRequest, "`metadata` is missing: it is what can be changed.").param("metadata")
        })?;
        let body = metadata.to_string().into();
        if !self.gateway.0.archive.sessions.amend(&self.owner, id, body, crate::clock()).await? {
            return Err(missing());
        }
        self.shown(id).await
    }

    async fn delete(&self, id: &SessionId) -> Result<Answer> {
        if !self.gateway.0.archive.sessions.delete(&self.owner, id, crate::clock()).await? {
            return Err(missing());
        }
        Ok(shown(&json!({"id": id.as_str(), "object": "conversation.deleted", "deleted": true})))
    }

    async fn items(&self, id: &SessionId) -> Result<Vec<Value>> {
        let sessions = &self.gateway.0.archive.sessions;
        let history = sessions.history(&self.owner, id, crate::clock()).await?.ok_or_else(missing)?;
        Ok(history.items.iter().map(|item| self.show.item(self.gateway, item)).collect())
    }

    async fn item(&self, id: &SessionId, item: &str) -> Result<Answer> {
        let items = self.items(id).await?;
        items.iter().find(|kept| kept["id"] == item).map(shown).ok_or_else(missing)
    }

    async fn add(&self, id: &SessionId, brought: Brought) -> Result<Answer> {
        if brought.items.is_empty() {
            return Err(Fault::new(Kind::BadRequest, "`items` is missing: send a list of items.").param("items"));
        }
        let (items, now) = (named(&brought.items)?, crate::clock());
        let added: Vec<Value> = items.iter().map(|item| self.show.item(self.gateway, item)).collect();
        if !self.gateway.0.archive.sessions.append(&self.owner, id, items, self.expires(now), now).await? {
            return Err(missing());
        }
        Ok(shown(&list(&added, false)))
    }

    async fn remove(&self, id: &SessionId, item: &str) -> Result<Answer> {
        if !self.gateway.0.archive.sessions.remove(&self.owner, id, item, crate::clock()).await? {
            return Err(missing());
        }
        self.shown(id).await
    }

    fn expires(&self, now: Moment) -> Moment {
        now.after(self.gateway.snapshot().config.responses.keep)
    }
}

/// Items as they are kept, each with an id.
fn named(items: &[Value]) -> Result<Vec<Item>> {
    // Ids are made from something that is new each time: items come in several calls.
    let holder = format!("{:032x}", random()?);
    Ok(kept_items(responses::named_items(items, &holder), false).collect())
}

fn random() -> Result<u128> {
    let mut bits = [0; 16];
    rand::fill(&mut bits).map_err(|_| Fault::new(Kind::Internal, "There are no random bits."))?;
    Ok(u128::from_le_bytes(bits))
}

pub(super) fn missing() -> Box<Fault> {
    Fault::new(Kind::NotFound, "There is no such conversation or item, or not any more.")
}
