//! The step against a small model, in any order of events; and a few ways through it, step by step.

mod checks;
mod model;

use proptest::collection::vec;
use proptest::prelude::*;

use super::*;
use model::{End, Kind, Letter, Pending, World};

/// Crashes from outside: fewer than would exhaust an innocent job.
const MOST_CRASHES: u32 = 4;

/// What a test run does next, chosen by a number.
fn act(world: &mut World, choice: u16, crashes: &mut u32) {
    let (action, detail) = (choice % 16, choice / 16);
    let pending = world.pending.len();
    match action {
        0 => world.publish(Kind::Inline),
        1 => world.publish(Kind::Web),
        2 if detail.is_multiple_of(8) => world.publish(Kind::Poison),
        2 => {
            world.malformed += 1;
            world.queue.push_back(Letter::Malformed(world.malformed));
        }
        // A job that is published twice.
        3 => {
            let number = u64::from(detail) % world.jobs.len().max(1) as u64 + 1;
            if world.jobs.contains_key(&number) {
                world.queue.push_back(Letter::Job { number, failures: 0 });
            }
        }
        4 | 5 => world.deliver(usize::from(detail % 8) + 1),
        6..=10 if pending > 0 => world.answer(usize::from(detail) % pending, None),
        11 | 12 if pending > 0 => world.answer(usize::from(detail) % pending, Some(detail / 16)),
        13 if detail.is_multiple_of(4) => world.lose_connection(),
        13 => world.retries.drain(..).for_each(|letter| world.queue.push_back(letter)),
        14 if detail.is_multiple_of(8) => world.paused = !world.paused,
        14 if detail % 8 == 1 => world.database(!world.away),
        14 => world.stray_answer(u64::from(detail / 8)),
        15 if detail.is_multiple_of(8) && *crashes < MOST_CRASHES => {
            *crashes += 1;
            world.crash(detail.is_multiple_of(16));
        }
        15 if detail % 8 == 1 && !world.stopping => world.stop(),
        _ => {}
    }
    if world.stopping && world.state.is_over() {
        check_stopped(world);
        world.restart();
    }
}

/// A worker that has stopped in time has settled everything, and what it has not read has cost no attempt.
fn check_stopped(world: &World) {
    assert!(world.unsettled.is_empty(), "not settled after a stop: {:?}", world.unsettled);
    let of_lost_delivery = |pending: &Pending| matches!(pending, Pending::Malformed(_));
    assert!(world.progress.is_empty() && world.pending.iter().all(of_lost_delivery));
    for (number, entry) in &world.entries {
        // A dead letter is an end, even where the database does not take it.
        if entry.end.is_none() && !world.has_dead_letter(*number) {
            assert_eq!(entry.attempts, entry.lost_attempts, "job {number} is given back with its attempt counted");
        }
    }
}

fn after(choices: &[u16]) -> World {
    let mut world = World::new();
    let mut crashes = 0;
    choices.iter().for_each(|&choice| act(&mut world, choice, &mut crashes));
    world
}

/// From now on everything works, until nothing is left to do.
fn run_to_rest(world: &mut World) {
    world.paused = false;
    if world.away {
        world.database(false);
    }
    for _ in 0..10_000 {
        if world.state.is_over() {
            check_stopped(world);
            world.restart();
        }
        world.retries.drain(..).for_each(|letter| world.queue.push_back(letter));
        world.deliver(8);
        if !world.pending.is_empty() {
            world.answer(0, None);
        } else if world.queue.is_empty() {
            return;
        }
    }
    panic!("it does not come to rest: {} in hand", world.state.in_hand());
}

fn check_ends(world: &World) {
    assert_eq!(world.state.in_hand(), 0, "held at rest");
    assert!(world.unsettled.is_empty(), "not settled at rest: {:?}", world.unsettled);
    for (&number, &kind) in &world.jobs {
        let end = world.entries.get(&number).and_then(|entry| entry.end);
        match end {
            Some(End::Result) => assert_ne!(kind, Kind::Poison),
            // Its dead letter is its end even where the database does not take it.
            Some(End::DeadLetter) | None => {
                assert!(
                    world.has_dead_letter(number),
                    "job {number} ({kind:?}) has no end: {:?}",
                    world.entries.get(&number)
                );
            }
        }
    }
    for number in 1..=world.malformed {
        assert!(world.dead_letters.contains(&Letter::Malformed(number)), "message {number} is lost");
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn every_job_ends_exactly_once(choices in vec(any::<u16>(), 0..300)) {
        let mut world = after(&choices);
        run_to_rest(&mut world);
        check_ends(&world);
    }

    #[test]
    fn stop_settles_every_delivery(
        choices in vec(any::<u16>(), 0..200),
        answers in vec(any::<u16>(), 0..100),
    ) {
        let mut world = after(&choices);
        world.stop();
        for answer in answers {
            if !world.pending.is_empty() {
                let index = usize::from(answer) % world.pending.len();
                world.answer(index, (answer % 3 == 0).then_some(answer / 3));
            }
        }
        run_to_rest(&mut world);
        check_ends(&world);
    }
}

/// A world with one job of this kind, delivered and claimed.
fn with_claimed_job(kind: Kind) -> World {
    let mut world = World::new();
    world.publish(kind);
    world.deliver(1);
    world.answer(0, None);
    world
}

#[test]
fn stop_during_republish_releases_the_claim() {
    let mut world = with_claimed_job(Kind::Inline);
    // The networks fail, so the job is to be published for a retry.
    world.answer(0, Some(1));
    world.stop();
    let close = world.pending.iter().position(|pending| matches!(pending, Pending::Close)).unwrap();
    world.answer(close, None);
    let publish = world.pending.iter().position(|pending| matches!(pending, Pending::Publish(_))).unwrap();
    world.answer(publish, Some(0));
    assert!(matches!(world.pending[..], [Pending::Release(_)]), "the claim is not released");
    world.answer(0, None);
    assert_eq!(world.entries[&1].attempts, 0);
    assert_eq!(world.queue, [Letter::Job { number: 1, failures: 0 }], "it is given back as it came");
    assert!(world.state.is_over());
}

#[test]
fn gives_up_when_drain_time_is_over() {
    let mut world = with_claimed_job(Kind::Inline);
    world.stop();
    assert_eq!(world.state.wake_at(), Some(world.now + model::LIMITS.drain));
    world.tell(Event::TimePassed);
    assert!(!world.state.is_over(), "there is time left");
    world.now += model::LIMITS.drain;
    world.tell(Event::TimePassed);
    assert!(world.state.is_over());
    assert_eq!((world.state.in_hand(), world.state.stored()), (1, 0));
}

#[test]
fn diagram_shows_every_state_and_transition() {
    let document = include_str!("../../../../../docs/job_states.md");
    let arrow = |from: &str, to: &str| format!("    {from} --> {to}");
    let drawn = |line: &str| document.lines().any(|other| other == line || other.starts_with(&format!("{line}:")));
    let mut transitions = 0;
    for state in JobState::ALL {
        let name = format!("{state:?}");
        assert!(document.contains(&format!("| `{name}` |")), "{name} is not explained");
        for next in state.next() {
            assert!(drawn(&arrow(&name, &format!("{next:?}"))), "{name} --> {next:?} is not drawn");
            transitions += 1;
        }
    }
    let arrows = document.lines().filter(|line| line.contains(" --> ") && !line.contains("[*]")).count();
    assert_eq!(arrows, transitions, "the diagram has transitions that the enum does not allow");
}
