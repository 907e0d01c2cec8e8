//! Pages of items, as OpenAI's lists are cut.

use serde_json::{Value, json};
use types::{Fault, Kind, Result};

use super::models::decoded;

/// How many items a page has when nothing is asked, and at most.
const PAGE: usize = 20;
const LONGEST_PAGE: usize = 100;

/// Which part of a list is asked for.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Page {
    limit: usize,
    oldest_first: bool,
    after: Option<String>,
    before: Option<String>,
}

impl Page {
    /// Reads a query. Names that mean nothing here are passed over.
    ///
    /// # Errors
    /// `BadRequest` naming the parameter whose value cannot be read.
    pub(super) fn read(query: &str) -> Result<Self> {
        let mut page = Self { limit: PAGE, oldest_first: false, after: None, before: None };
        for (name, value) in parameters(query)? {
            match name {
                "limit" => {
                    let limit = value.parse().ok().filter(|limit| (1..=LONGEST_PAGE).contains(limit));
                    let text = format!("`limit` must be a number from 1 to {LONGEST_PAGE}.");
                    page.limit = limit.ok_or_else(|| bad(name, text))?;
                }
                "order" => {
                    page.oldest_first = match value.as_str() {
                        "asc" => true,
                        "desc" => false,
                        _ => return Err(bad(name, "`order` must be `asc` or `desc`.".to_owned())),
                    };
                }
                "after" => page.after = Some(value),
                "before" => page.before = Some(value),
                _ => {}
            }
        }
        Ok(page)
    }

    /// The part of `items` (oldest first) that is asked for, as a list.
    ///
    /// # Errors
    /// `BadRequest` when the item to begin or end at is not among them.
    pub(super) fn cut(&self, mut items: Vec<Value>) -> Result<Value> {
        if !self.oldest_first {
            items.reverse();
        }
        let place = |name: &str, id: &Option<String>| match id {
            None => Ok(None),
            Some(id) => match items.iter().position(|item| item["id"] == id.as_str()) {
                Some(place) => Ok(Some(place)),
                None => Err(bad(name, format!("`{name}` must be the id of an item in this list."))),
            },
        };
        let begin = place("after", &self.after)?.map_or(0, |place| place + 1);
        let end = place("before", &self.before)?.unwrap_or(items.len()).max(begin);
        let more = end - begin > self.limit;
        // What ends before an item ends next to it.
        let range = match (&self.after, &self.before) {
            (None, Some(_)) => end.saturating_sub(self.limit).max(begin)..end,
            _ => begin..end.min(begin + self.limit),
        };
        Ok(list(&items[range], more))
    }
}

/// A list as OpenAI writes it.
pub(super) fn list(items: &[Value], has_more: bool) -> Value {
    let id = |item: Option<&Value>| item.map_or(Value::Null, |item| item["id"].clone());
    let (first, last) = (id(items.first()), id(items.last()));
    json!({"object": "list", "data": items, "first_id": first, "last_id": last, "has_more": has_more})
}

/// The parameters of a query, decoded.
///
/// # Errors
/// `BadRequest` when a value is no text.
pub(super) fn parameters(query: &str) -> Result<Vec<(&str, String)>> {
    let pairs = query.split('&').filter(|pair| !pair.is_empty());
    let read = pairs.map(|pair| {
        let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
        match decoded(&value.replace('+', " ")) {
            Some(value) => Ok((name, value)),
            None => Err(bad(name, "The query is not UTF-8 text.".to_owned())),
        }
    });
    read.collect()
}

pub(super) fn bad(param: &str, text: String) -> Box<Fault> {
    Fault::new(Kind::BadRequest, text).param(param)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ids(query: &str) -> (Vec<String>, bool) {
        let items = (1..=5).map(|n| json!({"id": format!("i{n}")})).collect();
        let list = Page::read(query).unwrap().cut(items).unwrap();
        let data = list["data"].as_array().unwrap();
        assert_eq!((&list["first_id"], &list["last_id"]), (&data[0]["id"], &data[data.len() - 1]["id"]));
        (data.iter().map(|item| item["id"].as_str().unwrap().to_owned()).collect(), list["has_more"] == true)
    }

    #[test]
    fn a_list_is_cut_into_pages_in_either_order() {
        let all = |ids: &[&str], more| (ids.iter().map(|id| (*id).to_owned()).collect::<Vec<_>>(), more);
        assert_eq!(ids(""), all(&["i5", "i4", "i3", "i2", "i1"], false));
        assert_eq!(ids("order=asc&limit=2"), all(&["i1", "i2"], true));
        assert_eq!(ids("order=asc&limit=2&after=i2"), all(&["i3", "i4"], true));
        assert_eq!(ids("order=asc&limit=2&after=i%34"), all(&["i5"], false));
        assert_eq!(ids("limit=2&after=i3"), all(&["i2", "i1"], false));
        assert_eq!(ids("order=asc&limit=2&before=i4"), all(&["i2", "i3"], true));
        assert_eq!(ids("order=asc&after=i1&before=i4"), all(&["i2", "i3"], false));
        assert_eq!(list(&[], false)["first_id"], Value::Null);
    }

    #[test]
    fn what_cannot_be_read_is_refused_by_name() {
        for (query, param) in
            [("limit=0", "limit"), ("limit=101", "limit"), ("order=up", "order"), ("after=%zz", "after")]
        {
            assert_eq!(Page::read(query).unwrap_err().param.as_deref(), Some(param), "{query}");
        }
        let unknown = Page::read("before=x").unwrap().cut(vec![json!({"id": "a"})]);
        assert_eq!(unknown.unwrap_err().param.as_deref(), Some("before"));
    }
}
