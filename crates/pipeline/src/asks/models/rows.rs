//! The rows of the list of models: what the catalogue has and what the operator declared, in one order.

use std::sync::Arc;

use catalog::{Item, Listing, Loss, Task};
use types::{BackendName, Fault, Kind, Operation, Result};
use wire::openai::models::{Model, Pricing};

use super::query::{After, Query};
use crate::{
    Snapshot,
    workers::{Servers, Wares},
};

/// A model of a server that the operator declared and wants listed, or of a vendor.
pub(super) struct Declared {
    /// What a caller writes.
    pub(super) id: String,
    server: BackendName,
    model: Arc<str>,
    /// What can be asked of the server; which of it the model does, only the operator knows.
    operations: Vec<Operation>,
    created: u64,
    context_length: Option<u64>,
}

impl Declared {
    /// All of them, in the order of their names.
    pub(super) fn all(snapshot: &Snapshot, known: &Servers, wares: &Wares) -> Vec<Self> {
        let servers = snapshot.config.servers.iter().filter(|server| server.advertised);
        let mut all: Vec<_> = servers
            .flat_map(|server| {
                let can = |operation: &Operation| providers::dialects::declared(server.dialect, *operation).is_some();
                let operations: Vec<_> = Operation::ALL.iter().copied().filter(can).collect();
                known.models(server).into_iter().map(move |model| Self {
                    id: format!("huggingface/{}/{model}", server.name),
                    server: server.name.clone(),
                    model,
                    operations: operations.clone(),
                    created: 0,
                    context_length: None,
                })
            })
            .collect();
        for (backend, vendor, listed) in wares.of(snapshot) {
            let usable = listed.iter().filter_map(|model| Some((model, vendor.work_of(&model.id)?)));
            all.extend(usable.map(|(model, operation)| Self {
                id: format!("{}/{}", backend.id, model.id),
                server: BackendName::new(backend.id),
                model: model.id.as_str().into(),
                operations: vec![operation],
                created: model.created,
                context_length: model.context_length,
            }));
        }
        all.sort_by(|a, b| a.id.cmp(&b.id));
        all
    }
}

/// One line of the list.
pub(super) enum Row<'a> {
    /// Of a declared server or a vendor.
    Declared(&'a Declared),
    /// Of a backend, with what it can be asked for there.
    Item(&'a Item, Vec<Operation>),
}

impl<'a> Row<'a> {
    /// The row of a listed model; nothing when its backend is switched off or can do nothing with it.
    pub(super) fn of_item(item: &'a Item, snapshot: &Snapshot) -> Option<Self> {
        let backend = providers::find(&item.backend)?;
        let operations: Vec<_> = item.task.operations().filter(|operation| backend.can(*operation)).collect();
        let shown = !operations.is_empty() && snapshot.config.enabled(&BackendName::new(&item.backend));
        shown.then_some(Self::Item(item, operations))
    }

    /// Where it stands in the list.
    pub(super) fn place(&self) -> (bool, &'a str) {
        match *self {
            Self::Declared(declared) => (false, declared.id.as_str()),
            Self::Item(item, _) => item.place(),
        }
    }

    /// Whether the query asks for it.
    pub(super) fn is_wanted(&self, query: &Query) -> bool {
        match self {
            Self::Declared(model) => {
                query.has_backend(model.server.as_str()) && query.has_work(&model.operations, None)
            }
            Self::Item(item, operations) => {
                query.has_backend(&item.backend) && query.has_work(operations, Some(item.task))
            }
        }
    }

    /// The row as the answer has it.
    pub(super) fn model(&self) -> Model<'a> {
        match self {
            Self::Declared(declared) => Model {
                id: &declared.id,
                created: declared.created,
                context_length: declared.context_length,
                owned_by: declared.server.as_str(),
                task: only(&declared.operations).map(|operation| Task::of(operation).name()),
                operations: declared.operations.clone(),
                backend: Some(declared.server.as_str()),
                backend_model: Some(&declared.model),
                ..Model::default()
            },
            Self::Item(item, operations) => listed(item, operations.clone()),
        }
    }
}

fn only(operations: &[Operation]) -> Option<Operation> {
    if let [one] = operations { Some(*one) } else { None }
}

fn listed(item: &Item, operations: Vec<Operation>) -> Model<'_> {
    let offer = item.offer.as_deref();
    let (input, output) = (offer.and_then(|o| o.input_price), offer.and_then(|o| o.output_price));
    let pricing = (input.is_some() || output.is_some()).then_some(Pricing { input, output });
    let hub_id = item.hub_id();
    let (input_modalities, output_modalities) = match &item.modalities {
        Some(said) => (said.input.iter().map(AsRef::as_ref).collect(), said.output.iter().map(AsRef::as_ref).collect()),
        None => item.task.modalities().map(|(input, output)| (input.to_vec(), output.to_vec())).unwrap_or_default(),
    };
    Model {
        id: &item.id,
        created: item.created.unwrap_or(0),
        owned_by: hub_id.split('/').next().unwrap_or_default(),
        task: Some(item.task.name()),
        operations,
        state: Some(item.state.name()),
        backend: Some(&item.backend),
        hub_id: Some(hub_id),
        backend_model: item.provider_id.as_deref(),
        adapter: item.adapter,
        context_length: offer.and_then(|offer| offer.context_length),
        pricing,
        supports_tools: offer.and_then(|offer| offer.tools),
        supports_structured_output: offer.and_then(|offer| offer.structured_output),
        input_modalities,
        output_modalities,
    }
}

/// The place after which the wanted page begins.
///
/// # Errors
/// `BadRequest` when `after` names a model that is not there: where to go on cannot be told then.
pub(super) fn start(query: &Query, listing: &Listing, declared: &[Declared]) -> Result<Option<(bool, String)>> {
    match &query.after {
        None => Ok(None),
        Some(After::Place(adapter, id)) => Ok(Some((*adapter, id.clone()))),
        Some(After::Id(id)) => {
            let item = listing.find(id).map(|item| item.adapter);
            let adapter = item.or_else(|| declared.iter().any(|model| model.id == *id).then_some(false));
            let adapter = adapter.ok_or_else(|| {
                let id: String = id.chars().take(256).collect();
                let text = format!("`after` must be the id of a listed model; `{id}` is none. Begin anew without it.");
                Fault::new(Kind::BadRequest, text).param("after")
            })?;
            Ok(Some((adapter, id.clone())))
        }
    }
}

/// The sentences that concern what was asked for.
pub(super) fn warnings(query: &Query, listing: &Listing, snapshot: &Snapshot, lost: &[Loss]) -> Vec<String> {
    let concerns = |source: &str| providers::find(source).is_none() || query.has_backend(source);
    let listed = listing.warnings.iter().filter(|warning| concerns(&warning.source));
    let listed = listed.map(|warning| format!("{}: {}", warning.source, warning.message));
    let named = query.backends.iter().filter_map(|id| {
        let backend = providers::find(id.as_str())?;
        if !snapshot.config.enabled(id) {
            Some(format!("{id}: It is switched off in this gateway's configuration."))
        } else if backend.vendor.is_some() && snapshot.config.keys.has_direct(id) {
            None
        } else if backend.routing != providers::Routing::Live {
            Some(format!("{id}: Hugging Face does not list its models; call them by the names that it gives them."))
        } else {
            None
        }
    });
    let lost = lost.iter().filter(|loss| query.has_backend(&loss.backend));
    let lost = lost.map(|loss| format!("{}: {}", loss.backend, loss.sentence()));
    listed.chain(named).chain(lost).collect()
}
