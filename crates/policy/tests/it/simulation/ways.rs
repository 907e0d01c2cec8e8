//! Ways of choosing: Ironbow's, and three that others have. All may try a call four times; the others without any budget.

use super::world::{Dice, FIRST, KEYS, LANES, SECOND};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Way {
    Ironbow,
    /// By fixed weights: the backends' usual speed.
    Weighted,
    /// One after the other.
    RoundRobin,
    /// The one of two random lanes with less under way, whatever happened before.
    TwoChoices,
}

impl Way {
    pub(crate) const ALL: [Self; 4] = [Self::Ironbow, Self::Weighted, Self::RoundRobin, Self::TwoChoices];

    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Ironbow => "**Ironbow**",
            Self::Weighted => "weighted random",
            Self::RoundRobin => "round robin",
            Self::TwoChoices => "two choices, no health",
        }
    }
}

/// The other ways' order of all lanes for a call.
pub(crate) fn order(way: Way, call: u64, under_way: &[u32; LANES], dice: &mut Dice) -> Vec<usize> {
    let mut left: Vec<usize> = (0..LANES).collect();
    let mut order = Vec::with_capacity(LANES);
    match way {
        Way::RoundRobin | Way::Ironbow => {
            // Neighbours are at different backends.
            let turn = |step: usize| (step % 3) * KEYS + step / 3 % KEYS;
            order.extend((0..LANES).map(|step| turn((call as usize + step) % LANES)));
        }
        Way::Weighted => {
            while !left.is_empty() {
                let weight = |lane: &usize| SECOND / FIRST[lane / KEYS];
                let mut point = dice.below(left.iter().map(weight).sum());
                let at = left.iter().position(|lane| {
                    let here = point < weight(lane);
                    point = point.saturating_sub(weight(lane));
                    here
                });
                order.push(left.remove(at.unwrap_or(0)));
            }
        }
        Way::TwoChoices => {
            while !left.is_empty() {
                let (a, b) = (dice.below(left.len() as u64) as usize, dice.below(left.len() as u64) as usize);
                let better = if under_way[left[a]] <= under_way[left[b]] { a } else { b };
                order.push(left.remove(better));
            }
        }
    }
    order
}
