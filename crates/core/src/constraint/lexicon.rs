//! Readings that name listed regions and towns, found by walking through the names: however many characters are unsure, the
//! beginning of an address and the place of an authority are among a few thousand regions, and a county has some fifteen
//! towns. Only candidates are taken.

use super::lattice::{Lattice, Slot};
use super::parameters::{LEAST_NAME_RATIO, MOST_MATCHES, Parameters};
use super::place_prior::{governs, is_branch_of};
use super::trim::Span;
use crate::region::gazetteer::{Beginning, Names};

/// Readings that have a listed beginning in common.
pub(crate) struct LexiconMatch {
    /// The lattice with these characters only at their places.
    pub(crate) lattice: Lattice,
    /// The probability of its readings, by the characters, without those of others that say more.
    mass: f64,
    /// How usual they are.
    prior: f64,
    /// The probability that places are left out as noise; 1 if none are.
    pub(crate) noise: f64,
}

/// What a list says about a lattice.
pub(crate) struct LexiconMatches<'a> {
    parameters: &'a Parameters,
    /// The most probable first.
    pub(crate) matches: Vec<LexiconMatch>,
}

/// How much of the probability by the characters is not looked at yet.
pub(crate) struct Remaining<'a> {
    listed: &'a LexiconMatches<'a>,
    all: f64,
    usual: f64,
}

impl LexiconMatches<'_> {
    /// Everything but the first reading.
    pub(crate) fn remaining(&self, first: &str, probability: f64) -> Remaining<'_> {
        let usual = self.matches.iter().map(|one| one.mass * one.prior * one.noise).sum();
        let mut remaining = Remaining { listed: self, all: 1.0, usual };
        remaining.take(first, probability);
        remaining
    }
}

impl Remaining<'_> {
    /// A reading was looked at.
    pub(crate) fn take(&mut self, text: &str, probability: f64) {
        self.all -= probability;
        let holding = self.listed.matches.iter().filter(|one| one.lattice.holds(text));
        self.usual -= probability * holding.map(|one| one.prior).fold(0.0, f64::max);
    }

    /// The probability of a listed reading that the characters do not hold: one is cut off at an end, which nothing tells,
    /// or one is no candidate, which unsure ones tell.
    pub(crate) fn unseen(&self, first: &str, confidence: f64) -> f64 {
        let parameters = self.listed.parameters;
        let is_listed = self.listed.matches.iter().any(|one| one.lattice.holds(first));
        if is_listed {
            0.0
        } else {
            parameters.truncation_rate * confidence + parameters.missing_candidate_rate * (1.0 - confidence)
        }
    }

    /// How usual the rest is on average, up to 1.
    pub(crate) fn usual(&self) -> f64 {
        let usual = (self.usual / self.all.max(1e-12)).clamp(0.0, 1.0);
        usual + (1.0 - usual) * self.listed.parameters.unlisted_prior
    }
}

/// The regions with which an address can begin, down to the town.
pub(crate) fn address<'a>(lattice: &Lattice, _: &[Span], parameters: &'a Parameters) -> LexiconMatches<'a> {
    let mut walk = Walk::new(lattice, parameters);
    walk.regions(0, 1.0, &Vec::new(), None);
    listed(walk.found, parameters)
}

/// The bureaus of listed regions and their branches, also inside of noise.
pub(crate) fn authority<'a>(lattice: &Lattice, spans: &[Span], parameters: &'a Parameters) -> LexiconMatches<'a> {
    let bureaus = |lattice: &Lattice, noise: f64| {
        let mut walk = Walk::new(lattice, parameters);
        walk.bureaus(0, 1.0, &Vec::new(), None);
        walk.found.iter_mut().for_each(|one| one.noise = noise);
        walk.found
    };
    let inside = spans.iter().flat_map(|span| bureaus(&lattice.span(span.kept.clone()), span.probability));
    listed(bureaus(lattice, 1.0).into_iter().chain(inside).collect(), parameters)
}

/// The most probable of what was found.
fn listed(mut found: Vec<LexiconMatch>, parameters: &Parameters) -> LexiconMatches<'_> {
    found.sort_by(|one, other| (other.mass * other.noise).total_cmp(&(one.mass * one.noise)));
    found.truncate(MOST_MATCHES);
    LexiconMatches { parameters, matches: found }
}

/// Characters taken at places, with their probability by what they replace.
type Taken = Vec<(usize, char)>;

struct Walk<'a> {
    lattice: &'a Lattice,
    parameters: &'a Parameters,
    /// The probability of any option from each place to the end.
    masses: Vec<f64>,
    found: Vec<LexiconMatch>,
}

/// A beginning of names that was walked to.
struct Step<'a> {
    at: usize,
    ratio: f64,
    taken: Taken,
    name: Beginning<'a>,
}

impl Walk<'_> {
    fn new<'a>(lattice: &'a Lattice, parameters: &'a Parameters) -> Walk<'a> {
        let mut masses = vec![1.0; lattice.len() + 1];
        for (at, slot) in lattice.slots().iter().enumerate().rev() {
            masses[at] = masses[at + 1] * slot.mass();
        }
        Walk { lattice, parameters, masses, found: Vec::new() }
    }

    /// Every beginning of a region's name that can stand from a place on, longer ones after shorter ones.
    fn steps(&self, from: usize, ratio: f64, taken: &Taken) -> Vec<Step<'static>> {
        self.steps_of(Step { at: from, ratio, taken: taken.clone(), name: Beginning::of_regions() })
    }

    /// Every longer beginning of a name, longer ones after shorter ones.
    fn steps_of<'a>(&self, first: Step<'a>) -> Vec<Step<'a>> {
        let mut steps = vec![first];
        let mut next = 0;
        while let Some(step) = steps.get(next) {
            let Some(slot) = self.lattice.slots().get(step.at) else {
                next += 1;
                continue;
            };
            let longer = longer(step, slot);
            steps.extend(longer);
            next += 1;
        }
        steps.split_off(1)
    }

    /// Finds regions from a place on, inside of `above`. Returns the probability of what names a county, by the characters.
    fn regions(&mut self, from: usize, ratio: f64, taken: &Taken, above: Option<&[u32]>) -> f64 {
        let mut sum = 0.0;
        for step in self.steps(from, ratio, taken) {
            let codes: Vec<u32> = inside(step.name.codes(), above);
            if codes.is_empty() {
                continue;
            }
            let probability = self.probability(&step.taken) * self.masses[step.at];
            // Many a prefecture has the name of a county of earlier years: what lies in it is looked for all the same.
            if codes.iter().all(|code| !code.is_multiple_of(100)) {
                sum += probability;
                match self.towns(&step, &codes) {
                    Some(towns) => self.push(&step.taken, probability - towns, self.parameters.no_town_prior),
                    None => self.push(&step.taken, probability, 1.0),
                }
                continue;
            }
            let below = self.regions(step.at, step.ratio, &step.taken, Some(&codes));
            sum += below;
            if codes.iter().all(|code| !code.is_multiple_of(10_000)) {
                self.push(&step.taken, probability - below, self.parameters.no_county_prior);
            }
        }
        sum
    }

    /// Finds the towns of a county, which has these codes. Returns the probability of what names one, by the characters;
    /// `None` if its towns are in no list.
    fn towns(&mut self, county: &Step, codes: &[u32]) -> Option<f64> {
        let names = Names::of_towns(codes);
        if names.is_empty() {
            return None;
        }
        let mut sum = 0.0;
        let mut whole: Vec<Taken> = Vec::new();
        for step in self.steps_of(Step { name: names.beginning(), taken: county.taken.clone(), ..*county }) {
            // A town's name may begin with another one's, whose readings hold its own.
            if step.name.codes().is_empty() || whole.iter().any(|shorter| step.taken.starts_with(shorter)) {
                continue;
            }
            let probability = self.probability(&step.taken) * self.masses[step.at];
            sum += probability;
            self.push(&step.taken, probability, 1.0);
            whole.push(step.taken);
        }
        Some(sum)
    }

    /// Finds bureaus whose place goes on here, inside of `above`.
    fn bureaus(&mut self, from: usize, ratio: f64, taken: &Taken, above: Option<&[u32]>) {
        let end = self.lattice.len();
        for step in self.steps(from, ratio, taken) {
            let codes = inside(step.name.codes(), above);
            if codes.is_empty() {
                continue;
            }
            for form in ["公安局", "公安分局"] {
                if step.at + form.chars().count() == end {
                    self.push_with(&step, form, None);
                }
            }
            self.branches(&step, &codes);
            if above.is_none() {
                self.bureaus(step.at, step.ratio, &step.taken, Some(&codes));
            }
        }
    }

    /// Finds the branches of a bureau: 公安局X分局 and 公安局X公安分局.
    fn branches(&mut self, bureau: &Step, codes: &[u32]) {
        let Some(begin) = self.then(bureau, "公安局") else { return };
        let end = self.lattice.len();
        let mut listed = 0.0;
        for step in self.steps(begin.at, begin.ratio, &begin.taken) {
            for form in ["分局", "公安分局"] {
                if step.at + form.chars().count() == end && is_branch_of(codes, step.name) {
                    listed += self.push_with(&step, form, None);
                }
            }
        }
        if begin.at + 2 < end {
            let last = Step { at: end - 2, ..begin };
            self.push_with(&last, "分局", Some(listed));
        }
    }

    /// A step with a form of words after it, if its characters are candidates.
    fn then<'a>(&self, step: &Step<'a>, form: &str) -> Option<Step<'a>> {
        let (mut at, mut taken) = (step.at, step.taken.clone());
        for character in form.chars() {
            let slot = self.lattice.slots().get(at)?;
            if slot.probability(character) <= 0.0 {
                return None;
            }
            taken.push((at, character));
            at += 1;
        }
        Some(Step { at, taken, ..*step })
    }

    /// Notes a bureau that ends with a form of words. With `others` its branch is open, and so much of it is listed.
    fn push_with(&mut self, step: &Step, form: &str, others: Option<f64>) -> f64 {
        let Some(whole) = self.then(step, form) else { return 0.0 };
        let fixed = |at: usize| whole.taken.iter().any(|&(taken, _)| taken == at);
        let open: f64 = self
            .lattice
            .slots()
            .iter()
            .enumerate()
            .filter(|(at, _)| !fixed(*at))
            .map(|(_, slot)| slot.mass())
            .product();
        let probability = self.probability(&whole.taken) * open;
        let prior = if others.is_some() { self.parameters.no_county_prior } else { 1.0 };
        self.push(&whole.taken, probability - others.unwrap_or(0.0), prior);
        probability
    }

    fn push(&mut self, taken: &Taken, mass: f64, prior: f64) {
        self.found.push(LexiconMatch { lattice: self.lattice.narrowed(taken), mass: mass.max(0.0), prior, noise: 1.0 });
    }

    fn probability(&self, taken: &Taken) -> f64 {
        taken.iter().map(|&(at, character)| self.lattice.slots()[at].probability(character)).product()
    }
}

/// A step with each of a place's characters with which a name goes on.
fn longer<'a>(step: &Step<'a>, slot: &Slot) -> Vec<Step<'a>> {
    let best = slot.options().first().map_or(1.0, |&(_, probability)| probability);
    let with = |&(character, probability): &(char, f64)| {
        let ratio = step.ratio * probability / best;
        let name = step.name.then(character).filter(|_| ratio > LEAST_NAME_RATIO)?;
        let mut taken = step.taken.clone();
        taken.push((step.at, character));
        Some(Step { at: step.at + 1, ratio, taken, name })
    };
    slot.options().iter().filter_map(with).collect()
}

/// Those of a name's codes that lie in one of the regions `above`.
fn inside(codes: &[u32], above: Option<&[u32]>) -> Vec<u32> {
    let fits = |code: &u32| above.is_none_or(|above| above.iter().any(|&above| governs(above, *code)));
    codes.iter().copied().filter(fits).collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::{LexiconMatches, address};
    use crate::constraint::fixture::lattice;
    use crate::constraint::lattice::Lattice;
    use crate::constraint::parameters::Parameters;
    use crate::constraint::place_prior::address_prior;
    use crate::constraint::posterior::{Constraint, Interpretation, Posterior};
    use crate::field::Address;
    use crate::region::{Region, towns};

    const FITTED: Parameters = Parameters::FITTED;

    /// Certain characters, with other candidates where `|` parts them: `龙|尤`. The first is as probable as said.
    fn read(text: &str, best: f32, other: f32) -> Lattice {
        let mut slots: Vec<Vec<(char, f32)>> = Vec::new();
        let mut characters = text.chars();
        while let Some(character) = characters.next() {
            match (character, slots.last_mut()) {
                ('|', Some(last)) => {
                    last[0].1 = best;
                    last.extend(characters.next().map(|character| (character, other)));
                }
                _ => slots.push(vec![(character, 0.999)]),
            }
        }
        let options: Vec<&[(char, f32)]> = slots.iter().map(Vec::as_slice).collect();
        lattice(&options)
    }

    fn posterior(lattice: &Lattice, listed: &LexiconMatches) -> Posterior<()> {
        let interpret = |text: &str| {
            let prior = address_prior(&Address::parse(text).ok()?, &FITTED);
            Some(Interpretation { text: text.to_owned(), value: (), prior })
        };
        let constraint = Constraint { false_match_rate: 1.0, violation_rate: 0.05, truncation_rate: 0.0, interpret };
        Posterior::among(lattice, lattice.best_probability(), &constraint, Some(listed), &lattice.best())
    }

    fn settled(lattice: &Lattice) -> String {
        posterior(lattice, &address(lattice, &[], &FITTED)).readings[0].text.clone()
    }

    #[test]
    fn prefers_a_listed_town_to_an_unsure_look_alike() {
        let unsure = read("山西省朔州市平鲁区周|陶村乡某村", 0.6, 0.3);
        assert_eq!(settled(&unsure), "山西省朔州市平鲁区陶村乡某村");
        // It is a town of the other district.
        let elsewhere = read("山西省朔州市朔城区周|陶村乡某村", 0.6, 0.3);
        assert_eq!(settled(&elsewhere), "山西省朔州市朔城区周村乡某村");
        let clear = read("山西省朔州市平鲁区周|陶村乡某村", 0.9999, 5e-5);
        assert_eq!(settled(&clear), "山西省朔州市平鲁区周村乡某村");
        assert!(posterior(&clear, &address(&clear, &[], &FITTED)).readings[0].weight > 0.8);
    }

    #[test]
    fn the_town_decides_between_two_counties() {
        let unsure = read("江苏省南京市鼓|玄楼|武区湖南路街道某路", 0.5, 0.45);
        assert_eq!(settled(&unsure), "江苏省南京市鼓楼区湖南路街道某路");
        let other = read("江苏省南京市鼓|玄楼|武区梅园新村街道某路", 0.5, 0.45);
        assert_eq!(settled(&other), "江苏省南京市玄武区梅园新村街道某路");
    }

    #[test]
    fn leaves_a_road_after_the_county_unchanged() {
        let road = read("浙江省衢州市龙游县文|大化|街路12号", 0.6, 0.3);
        assert_eq!(settled(&road), "浙江省衢州市龙游县文化路12号");
        // Of the county and of the prefecture alone.
        let priors: Vec<f64> = address(&road, &[], &FITTED).matches.iter().map(|one| one.prior).collect();
        assert_eq!(priors, [FITTED.no_town_prior, FITTED.no_county_prior]);
    }

    #[test]
    fn finds_counties_of_a_prefecture_named_like_a_former_county() {
        let unsure = read("江西省赣州市全南县域|城厢镇某村", 0.6, 0.3);
        let matches = address(&unsure, &[], &FITTED).matches;
        let usual: Vec<String> = matches.iter().filter(|one| one.prior == 1.0).map(|one| one.lattice.best()).collect();
        assert_eq!(usual, ["江西省赣州市全南县城厢镇某村"]);
    }

    #[test]
    fn probability_is_shared_between_a_county_and_its_towns() {
        let unsure = read("山西省朔州市平鲁区周|陶村乡", 0.6, 0.3);
        let matches = address(&unsure, &[], &FITTED).matches;
        let best = unsure.best_probability();
        let found: Vec<(f64, f64)> = matches.iter().map(|one| (one.prior, one.mass / best)).collect();
        let of = |prior: f64, mass: f64| move |&(one, other): &(f64, f64)| one == prior && (other - mass).abs() < 1e-6;
        // Of the county without the town, of the town, and nothing of the prefecture without the county.
        assert!(
            of(FITTED.no_town_prior, 1.0)(&found[0])
                && of(1.0, 0.5)(&found[1])
                && of(FITTED.no_county_prior, 0.0)(&found[2]),
            "{found:?}"
        );
        assert!(address(&Lattice::default(), &[], &FITTED).matches.is_empty());
        // 龙镇 is a town there, and so is 龙镇农场.
        let longer = read("黑龙江省五大连池市龙镇农场", 1.0, 0.0);
        let masses: f64 = address(&longer, &[], &FITTED).matches.iter().map(|one| one.mass).sum();
        assert!((masses / longer.best_probability() - 1.0).abs() < 1e-6, "{masses}");
    }

    #[test]
    fn finds_a_town_of_every_county() {
        let mut counties = 0;
        for code in 110_000..660_000 {
            let region = Region::of_code(code, 2023);
            // One of each county: all would take long. A former county may have the name of the prefecture of today.
            let town = towns::of_county(code).last().filter(|_| region.codes_today().contains(&code));
            let Some(town) = town else { continue };
            let names = region.at_issue();
            counties += 1;
            let [province, city, county] = [names.province, names.city, names.county].map(Option::unwrap_or_default);
            // A heading, and a city that was a prefecture once: below such ones counties are looked for.
            if matches!(county, "市辖区" | "石河子市") {
                continue;
            }
            let city = if [province, county].contains(&city) { "" } else { city };
            let text = format!("{province}{city}{county}{town}某村1号");
            let lattice = read(&text, 1.0, 0.0);
            let found = address(&lattice, &[], &FITTED).matches;
            let of_town: f64 = found.iter().filter(|one| one.prior == 1.0).map(|one| one.mass).sum();
            assert!((of_town / lattice.best_probability() - 1.0).abs() < 1e-6, "{code} {text}");
            assert_eq!(address_prior(&Address::parse(&text).unwrap(), &FITTED), 1.0, "{code} {text}");
        }
        assert!(counties > 2_800, "{counties}");
    }

    /// Places where the characters of some addresses are mixed up.
    fn slots() -> impl Strategy<Value = Vec<Vec<(char, f32)>>> {
        const TEXTS: [&str; 3] = ["浙江省龙游县湖镇镇某村", "山西省平鲁区陶村乡某村", "浙江省龙游县湖东路某号"];
        let slot = |at: usize| {
            let characters: Vec<char> = TEXTS.iter().filter_map(|text| text.chars().nth(at)).collect();
            prop::collection::vec((prop::sample::select(characters), 0.001_f32..0.3), 1..4)
        };
        (0..11).map(slot).collect::<Vec<_>>()
    }

    proptest! {
        #[test]
        fn counts_no_reading_twice_and_invents_none(slots in slots()) {
            let options: Vec<&[(char, f32)]> = slots.iter().map(Vec::as_slice).collect();
            let lattice = lattice(&options);
            let listed = address(&lattice, &[], &FITTED);
            let all: f64 = lattice.slots().iter().map(|slot| slot.mass()).product();
            prop_assert!(listed.matches.iter().map(|one| one.mass).sum::<f64>() <= all * (1.0 + 1e-9));
            let posterior = posterior(&lattice, &listed);
            prop_assert!(posterior.readings.iter().all(|reading| lattice.holds(&reading.text)));
            prop_assert!((posterior.sum(|()| true) + posterior.unknown() - 1.0).abs() < 1e-9);
        }
    }
}
