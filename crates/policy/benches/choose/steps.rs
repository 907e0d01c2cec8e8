//! What of routing is measured: by time in `choose`, by instructions in the example `count_plan`.
#![allow(dead_code, reason = "each of the two uses its part")]

use std::{
    collections::BTreeMap,
    io,
    sync::Arc,
    time::{Duration, Instant},
};

use policy::{
    BackendIds, Compiled, File, Sources,
    credentials::{Chosen, Presented, Target, Whose},
    health::{Health, Lane, Outcome, Settings},
    order::{Ask, Candidate, Need, Order, Price, Strategy, choose},
    retry::{self, Tries},
};
use types::{Asked, BackendName};

/// A configuration with four tokens, as calls are admitted by it.
pub(crate) struct Door(Compiled);

impl Door {
    /// The table has one backend.
    pub(crate) fn new() -> Self {
        let key = |name: &str| format!("[[huggingface.keys]]\nname = \"{name}\"\nvalue = \"env:KEY\"\n");
        let text: String = ["one", "two", "three", "four"].map(key).concat();
        let env = BTreeMap::from([("KEY".to_owned(), "hf_key".to_owned())]);
        let sources = Sources {
            file: Some(File { name: "gateway.toml", text: &text }),
            env: &env,
            read_file: &|_| Err(io::ErrorKind::NotFound.into()),
            flags: &[],
        };
        let routing = policy::Routing::Live;
        let table = [BackendIds { id: "groq", aliases: &[], routing, direct_base: None, vendor: None }];
        Self(policy::compile(&sources, &table).unwrap())
    }

    /// What a name means, and with which keys the call may go out.
    pub(crate) fn admit(&self, name: &str) -> (Asked, Vec<Chosen>) {
        let asked = policy::parse(name, &self.0.names).unwrap();
        let Asked::Pinned { backend, .. } = &asked else { panic!("{name} names its backend") };
        let target = Target::Backend { id: backend, routing: policy::Routing::Live, mapped: true };
        let keys = self.0.keys.usable(target, Presented::default()).unwrap();
        (asked, keys)
    }
}

/// Backends with four keys each, all of which were used.
pub(crate) struct Choice {
    candidates: Vec<Candidate>,
    health: Health,
    now: Instant,
    need: Need,
    settings: Arc<retry::Settings>,
}

impl Choice {
    /// So many candidates.
    pub(crate) fn new(count: usize) -> Self {
        let lane = |number: usize| Lane {
            place: BackendName::new(&format!("backend-{}", number / 4)),
            model: "meta-llama/Llama-3.3-70B-Instruct".into(),
            key: Some(format!("key-{}", number % 4).into()),
            account: Some(format!("organisation-{}", number % 2).into()),
            whose: Whose::Operator,
        };
        let price = Some(Price { input: 590_000, output: 790_000 });
        // As in the gateway: the candidates of one call have one text for the model's name, the table of health another.
        let model: Arc<str> = "meta-llama/Llama-3.3-70B-Instruct".into();
        let same = |number| Lane { model: model.clone(), ..lane(number) };
        let known = |number| Candidate { price, context_length: Some(131_072), ..Candidate::new(same(number)) };
        let candidates: Vec<Candidate> = (0..count).map(known).collect();
        let now = Instant::now();
        let health = Health::new(Settings::default(), now);
        for number in 0..count {
            let mut flight = health.begin(&lane(number), now).unwrap();
            flight.first_event(now + Duration::from_millis(100 + number as u64));
            flight.end(Outcome::Served { output_tokens: Some(100) }, now + Duration::from_secs(2));
        }
        let need = Need { tools: true, stream: true, input_tokens: 1200, max_output: Some(500), ..Need::default() };
        Self { candidates, health, now: now + Duration::from_secs(3), need, settings: Arc::default() }
    }

    /// Who is asked, in which order.
    pub(crate) fn plan(&self, seed: u64, strategy: Strategy) -> Order {
        let ask = Ask { strategy, max_price: Some(1_000_000), ..Ask::new(&self.need, seed) };
        choose(&self.candidates, &ask, &self.health, self.now)
    }

    /// Begins an attempt, hears its first event, ends it.
    pub(crate) fn attempt(&self) {
        let mut tries = Tries::single(Arc::clone(&self.settings));
        let (_, mut flight) = tries.begin(&self.health, &self.candidates, self.now).unwrap();
        flight.first_event(self.now);
        flight.end(Outcome::Served { output_tokens: Some(100) }, self.now);
    }
}
