//! Which characters follow each other in names of places and of persons: 村 after 桥 rather than 柯, 滨 between 哈尔 and
//! 市; a name begins with 问 rather than 间.
//!
//! Made by `training/shenfen_training/pairs.py` from lists of regions, towns, villages, roads and estates, of surnames and of
//! characters of given names. They only shift probability between candidates that were seen.

use std::sync::LazyLock;

use super::lattice::Lattice;
use super::parameters::Parameters;
use crate::field::is_han;

static PLACE_BYTES: &[u8] = include_bytes!("../../data/place_bigrams.bin");
static PERSON_BYTES: &[u8] = include_bytes!("../../data/person_bigrams.bin");
/// Names of places. Empty, so that it says nothing, if the file were damaged.
pub(crate) static PLACES: LazyLock<Bigrams> = LazyLock::new(|| Bigrams::parse(PLACE_BYTES).unwrap_or_default());
/// Names of persons; empty as above.
pub(crate) static PERSONS: LazyLock<Bigrams> = LazyLock::new(|| Bigrams::parse(PERSON_BYTES).unwrap_or_default());

/// Costs are in eighths of a bit.
const COSTS_PER_BIT: f64 = 8.0;

/// The file's tables; its layout is told where it is made.
#[derive(Default)]
pub(crate) struct Bigrams {
    characters: Vec<char>,
    costs_alone: &'static [u8],
    begins: Vec<u32>,
    seconds: Vec<u16>,
    costs: &'static [u8],
}

/// What stands before a place.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Before {
    Start,
    Character(usize),
    Other,
}

impl Bigrams {
    fn parse(bytes: &'static [u8]) -> Option<Bigrams> {
        let (sizes, rest) = bytes.split_at_checked(8)?;
        let [count, pairs] =
            [0, 4].map(|at| u32::from_le_bytes([sizes[at], sizes[at + 1], sizes[at + 2], sizes[at + 3]]));
        let (count, pairs) = (count as usize, pairs as usize);
        let (characters, rest) = rest.split_at_checked(4 * count)?;
        let (costs_alone, rest) = rest.split_at_checked(count)?;
        let (begins, rest) = rest.split_at_checked(4 * (count + 2))?;
        let (seconds, costs) = rest.split_at_checked(2 * pairs)?;
        let words = |bytes: &[u8]| -> Vec<u32> {
            bytes.chunks_exact(4).map(|word| u32::from_le_bytes([word[0], word[1], word[2], word[3]])).collect()
        };
        let characters = words(characters).into_iter().map(char::from_u32).collect::<Option<Vec<_>>>()?;
        let seconds = seconds.chunks_exact(2).map(|half| u16::from_le_bytes([half[0], half[1]])).collect();
        (costs.len() == pairs).then_some(Bigrams { characters, costs_alone, begins: words(begins), seconds, costs })
    }

    fn number(&self, character: char) -> Option<usize> {
        self.characters.binary_search(&character).ok()
    }

    /// Whether every Han character of a text is one that cards have: in the tables, even if in no name (tiers 0 to 2 of
    /// `training/data/charset.csv`).
    pub(crate) fn knows(&self, text: &str) -> bool {
        self.characters.is_empty() || text.chars().all(|one| !is_han(one) || self.number(one).is_some())
    }

    fn before(&self, character: char) -> Before {
        self.number(character).map_or(Before::Other, Before::Character)
    }

    /// The cost of a character after another one.
    fn cost(&self, before: Before, character: char, parameters: &Parameters) -> f64 {
        if !is_han(character) {
            return parameters.bigram_other_cost;
        }
        let Some(number) = self.number(character) else { return parameters.bigram_unknown_cost };
        let alone = self.costs_alone.get(number).map_or(parameters.bigram_unknown_cost, |&cost| f64::from(cost));
        let first = match before {
            Before::Start => self.characters.len(),
            Before::Character(first) => first,
            Before::Other => return alone,
        };
        let bounds = [first, first + 1].map(|at| self.begins.get(at).map_or(0, |&begin| begin as usize));
        let seconds = self.seconds.get(bounds[0]..bounds[1]).unwrap_or_default();
        let found = seconds.binary_search_by_key(&number, |&second| usize::from(second)).ok();
        found.and_then(|at| self.costs.get(bounds[0] + at)).map_or(alone, |&cost| f64::from(cost))
    }

    /// How many times as often a character stands inside of a name as it begins one.
    pub(crate) fn inside_to_start(&self, character: char, parameters: &Parameters) -> f64 {
        let [inside, start] = [Before::Other, Before::Start].map(|before| self.cost(before, character, parameters));
        ((start - inside) / COSTS_PER_BIT).exp2()
    }

    fn probability(&self, before: Before, character: char, trust: f64, parameters: &Parameters) -> f64 {
        (-self.cost(before, character, parameters) / COSTS_PER_BIT * trust).exp2()
    }

    /// The places of a text that consists of such names, each option's probability by what may stand before and after it
    /// (forward and backward sums over all readings). A place keeps its sum, for what is no candidate.
    pub(crate) fn weighed(&self, lattice: &Lattice, trust: f64, parameters: &Parameters) -> Lattice {
        let slots = lattice.slots();
        if self.characters.is_empty() || slots.iter().any(|slot| slot.options().is_empty()) {
            return lattice.clone();
        }
        let steps: Vec<Vec<Vec<f64>>> = (0..slots.len())
            .map(|at| {
                let before: Vec<Before> = match at.checked_sub(1) {
                    None => vec![Before::Start],
                    Some(last) => slots[last].options().iter().map(|&(character, _)| self.before(character)).collect(),
                };
                let here = slots[at].options();
                let row = |before: &Before| {
                    here.iter().map(|&(one, p)| p * self.probability(*before, one, trust, parameters)).collect()
                };
                before.iter().map(row).collect()
            })
            .collect();
        let mut forward = vec![vec![1.0]];
        for step in &steps {
            let last = &forward[forward.len() - 1];
            let sum = |to: usize| last.iter().zip(step).map(|(sum, row)| sum * row[to]).sum();
            forward.push(normalized((0..step[0].len()).map(sum).collect()));
        }
        let mut after = vec![1.0; slots.last().map_or(0, |slot| slot.options().len())];
        let mut weighed = lattice.clone();
        for (at, slot) in slots.iter().enumerate().rev() {
            let both = normalized(forward[at + 1].iter().zip(&after).map(|(before, after)| before * after).collect());
            weighed.reweigh(at, both.iter().map(|share| share * slot.mass()));
            let back = |row: &Vec<f64>| row.iter().zip(&after).map(|(step, after)| step * after).sum();
            after = normalized(steps[at].iter().map(back).collect());
        }
        weighed
    }
}

fn normalized(mut values: Vec<f64>) -> Vec<f64> {
    let sum: f64 = values.iter().sum();
    if sum > 0.0 {
        values.iter_mut().for_each(|value| *value /= sum);
    }
    values
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::constraint::fixture::lattice;

    const FITTED: Parameters = Parameters::FITTED;

    #[test]
    fn parses_the_tables_and_ranks_usual_pairs_first() {
        let pairs = Bigrams::parse(PLACE_BYTES).unwrap();
        let cost = |first: char, second: char| pairs.cost(pairs.before(first), second, &FITTED);
        assert!(cost('哈', '尔') < cost('哈', '小'));
        assert!(cost('尔', '滨') < cost('尔', '宾'));
        assert!(pairs.cost(Before::Start, '浙', &FITTED) < pairs.cost(Before::Start, '淅', &FITTED));
        assert_eq!(
            (cost('路', '1'), pairs.cost(Before::Start, '㐀', &FITTED)),
            (FITTED.bigram_other_cost, FITTED.bigram_unknown_cost)
        );
        assert!(Bigrams::parse(&PLACE_BYTES[..PLACE_BYTES.len() - 1]).is_none());
    }

    #[test]
    fn prefers_a_usual_name_to_an_unsure_look_alike() {
        let unsure = lattice(&[&[('哈', 0.99)], &[('尔', 0.99)], &[('宾', 0.55), ('滨', 0.4)], &[('市', 0.99)]]);
        assert_eq!(PLACES.weighed(&unsure, FITTED.place_bigram_trust, &FITTED).best(), "哈尔滨市");
        let clear = lattice(&[&[('哈', 0.99)], &[('尔', 0.99)], &[('宾', 0.9999), ('滨', 5e-5)], &[('市', 0.99)]]);
        assert_eq!(PLACES.weighed(&clear, FITTED.place_bigram_trust, &FITTED).best(), "哈尔宾市");
    }

    #[test]
    fn prefers_a_surname_to_an_unsure_look_alike_and_keeps_clear_rare_characters() {
        let unsure = lattice(&[&[('间', 0.6), ('问', 0.35)], &[('文', 0.99)], &[('勤', 0.99)]]);
        assert_eq!(PERSONS.weighed(&unsure, FITTED.person_bigram_trust, &FITTED).best(), "问文勤");
        let clear = lattice(&[&[('张', 0.99)], &[('堃', 0.99), ('坤', 0.009)]]);
        assert_eq!(PERSONS.weighed(&clear, FITTED.person_bigram_trust, &FITTED).best(), "张堃");
    }

    proptest! {
        #[test]
        fn keeps_the_options_and_the_sum_of_every_slot(
            slots in prop::collection::vec(prop::collection::vec((prop::sample::select(vec!['村', '材', '桥', '1', '㐀', '-']), 0.001_f32..1.0), 1..4), 1..12)
        ) {
            let options: Vec<&[(char, f32)]> = slots.iter().map(Vec::as_slice).collect();
            let before = lattice(&options);
            let after = PLACES.weighed(&before, FITTED.place_bigram_trust, &FITTED);
            prop_assert_eq!(before.len(), after.len());
            for (one, other) in before.slots().iter().zip(after.slots()) {
                prop_assert!((one.mass() - other.mass()).abs() < 1e-9);
                let characters = |slot: &crate::constraint::lattice::Slot| {
                    let mut all: Vec<char> = slot.options().iter().map(|option| option.0).collect();
                    all.sort_unstable();
                    all
                };
                prop_assert_eq!(characters(one), characters(other));
            }
        }
    }
}
