use std::collections::VecDeque;

use proptest::prelude::*;

use super::*;

/// What happens next: work comes that takes so many bytes, or the oldest of those that are being read ends.
#[derive(Clone, Copy, Debug)]
enum Next {
    Comes(u64),
    Ends,
}

fn next() -> impl Strategy<Value = Next> {
    prop_oneof![(1_u64..150).prop_map(Next::Comes), Just(Next::Ends)]
}

/// Rooms beside a model of what is being read.
struct World {
    rooms: Rooms<usize>,
    reading: VecDeque<u64>,
    begun: Vec<usize>,
}

impl World {
    fn check(&self, limit: u64) -> Result<(), TestCaseError> {
        let taken: u64 = self.reading.iter().sum();
        prop_assert!(taken <= limit || self.reading.len() == 1, "{:?}", self.reading);
        Ok(())
    }

    /// As the threads do whenever there may be room.
    fn begin_postponed(&mut self) {
        while let Some((number, bytes)) = self.rooms.next() {
            self.reading.push_back(bytes);
            self.begun.push(number);
        }
    }
}

proptest! {
    #[test]
    fn limit_holds_and_everything_is_read_in_order(
        limit in 1_u64..200,
        events in prop::collection::vec(next(), 0..200),
    ) {
        let mut world = World { rooms: Rooms::new(limit), reading: VecDeque::new(), begun: Vec::new() };
        let mut came = 0;
        for event in events {
            match event {
                Next::Comes(bytes) => {
                    if world.rooms.take(bytes) {
                        world.reading.push_back(bytes);
                        world.begun.push(came);
                    } else {
                        world.rooms.postpone(came, bytes);
                    }
                    came += 1;
                }
                Next::Ends => {
                    if let Some(bytes) = world.reading.pop_front() {
                        world.rooms.give_back(bytes);
                    }
                    world.begin_postponed();
                }
            }
            world.check(limit)?;
        }
        while let Some(bytes) = world.reading.pop_front() {
            world.rooms.give_back(bytes);
            world.begin_postponed();
            world.check(limit)?;
        }
        prop_assert_eq!(world.rooms.waiting(), 0, "nothing is left behind");
        prop_assert_eq!(world.begun, (0..came).collect::<Vec<_>>());
    }
}
