//! When pending traces are due: a timer wheel on journal time, its lists threaded through the traces' numbers.

use super::paged::Paged;

/// Journal time of a tick: 4.2 ms.
const TICK_SHIFT: u32 = 22;

/// Slots of the wheel, a power of two: a turn takes 34 s. What is due later stays in its slot for another turn.
const SLOTS: usize = if cfg!(test) { 16 } else { 8192 };

const NONE: u32 = u32::MAX;

#[derive(Debug)]
pub(super) struct Wheel {
    heads: Box<[u32]>,
    links: Paged<Link>,
    /// Everything due before this tick was handed out.
    tick: u64,
}

#[derive(Debug, Clone, Copy)]
struct Link {
    next: u32,
    previous: u32,
    due_tick: u64,
}

impl Default for Wheel {
    fn default() -> Self {
        let unlinked = || Link { next: NONE, previous: NONE, due_tick: u64::MAX };
        Self { heads: vec![NONE; SLOTS].into(), links: Paged::new(unlinked), tick: 0 }
    }
}

impl Wheel {
    /// Trace `number` is due at `due_ns`; it is not in the wheel yet.
    pub(super) fn add(&mut self, number: u32, due_ns: u64) {
        // What is late already is due at the next turn of the hand.
        let due_tick = (due_ns >> TICK_SHIFT).max(self.tick);
        self.links.reach(number);
        let head = &mut self.heads[due_tick as usize % SLOTS];
        let next = std::mem::replace(head, number);
        *self.links.get_mut(number) = Link { next, previous: NONE, due_tick };
        if next != NONE {
            self.links.get_mut(next).previous = number;
        }
    }

    /// Takes a trace out.
    pub(super) fn remove(&mut self, number: u32) {
        let Link { next, previous, due_tick } = *self.links.get(number);
        if next != NONE {
            self.links.get_mut(next).previous = previous;
        }
        if previous == NONE {
            self.heads[due_tick as usize % SLOTS] = next;
        } else {
            self.links.get_mut(previous).next = next;
        }
    }

    /// Traces that are due at `now_ns`, in the order of their ticks, up to `most`: each must then be removed. The hand does not pass
    /// a tick of which some are left.
    pub(super) fn due(&mut self, now_ns: u64, most: usize, due: &mut Vec<u32>) {
        let now_tick = now_ns >> TICK_SHIFT;
        // One turn sees all of them, however long ago the last one was.
        self.tick = self.tick.max(now_tick.saturating_sub(SLOTS as u64));
        while self.tick < now_tick {
            let mut number = self.heads[self.tick as usize % SLOTS];
            while number != NONE {
                let link = self.links.get(number);
                if link.due_tick < now_tick {
                    if due.len() >= most {
                        return;
                    }
                    due.push(number);
                }
                number = link.next;
            }
            self.tick += 1;
        }
    }

    /// When a trace is due: the begin of its tick, in journal time.
    pub(super) fn due_ns(&self, number: u32) -> u64 {
        self.links.get(number).due_tick << TICK_SHIFT
    }

    /// Bytes taken.
    pub(super) fn bytes(&self) -> usize {
        self.links.bytes() + size_of_val(&*self.heads)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const TICK_NS: u64 = 1 << TICK_SHIFT;

    fn due(wheel: &mut Wheel, now_ns: u64, most: usize) -> Vec<u32> {
        let mut due = Vec::new();
        wheel.due(now_ns, most, &mut due);
        due.iter().for_each(|&number| wheel.remove(number));
        due
    }

    #[test]
    fn traces_come_when_they_are_due() {
        let mut wheel = Wheel::default();
        let start = 1_760_000_000 * TICK_NS;
        assert_eq!(due(&mut wheel, start, 9), [0; 0]);
        // More than a turn ahead, and in the slot of an early one.
        wheel.add(0, start + (3 + SLOTS as u64) * TICK_NS);
        wheel.add(1, start + 3 * TICK_NS);
        wheel.add(2, start + 3 * TICK_NS);
        wheel.add(3, start - TICK_NS);
        wheel.add(4, start + 5 * TICK_NS);
        assert_eq!(due(&mut wheel, start + TICK_NS, 9), [3]);
        assert_eq!(due(&mut wheel, start + 3 * TICK_NS, 9), [0; 0]);
        wheel.remove(4);
        assert_eq!(due(&mut wheel, start + 4 * TICK_NS, 1), [2]);
        assert_eq!(due(&mut wheel, start + 4 * TICK_NS, 1), [1]);
        assert_eq!(due(&mut wheel, start + 100 * TICK_NS, 9), [0]);
    }

    proptest! {
        #[test]
        fn the_wheel_does_as_a_sorted_list(steps in prop::collection::vec((0u64..60, 0u64..9, 0usize..4), 1..80)) {
            let mut wheel = Wheel::default();
            let mut waiting: Vec<(u64, u32)> = Vec::new();
            let mut now = 1000;
            for (number, (wait, pass, most)) in steps.into_iter().enumerate() {
                wheel.add(number as u32, (now + wait) * TICK_NS);
                waiting.push((now + wait, number as u32));
                if wait % 7 == 3 {
                    let (_, gone) = waiting.swap_remove(number % waiting.len());
                    wheel.remove(gone);
                }
                now += pass;
                let most = if most == 3 { 100 } else { most };
                for came in due(&mut wheel, now * TICK_NS, most) {
                    let at = waiting.iter().position(|&(_, number)| number == came).expect("it waited");
                    prop_assert!(waiting.swap_remove(at).0 < now);
                }
                let left = waiting.iter().filter(|(at, _)| *at < now).count();
                prop_assert!(left == 0 || most < 100);
            }
        }
    }
}
