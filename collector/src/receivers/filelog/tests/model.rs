//! Anything in any order: numbered lines, rotation of every kind, looks and kills at random; then each line once.

use std::collections::BTreeMap;

use super::world::World;

/// A generator of numbers (Marsaglia, Xorshift RNGs).
struct Random(u64);

impl Random {
    fn below(&mut self, n: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % n
    }
}

/// How many stories: `WEIR_STORIES` for more.
fn seeds() -> u64 {
    std::env::var("WEIR_STORIES").ok().and_then(|n| n.parse().ok()).unwrap_or(12)
}

/// A world in which things happen.
fn run(seed: u64, keys: &str, kinds: u64) {
    let mut random = Random(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1);
    let mut world = World::new(keys);
    let (mut written, mut rotations) = (1_u64, 0_u64);
    let mut story = Vec::new();
    world.append("a.log", format!("line 0 of {seed}\n"));
    world.poll();
    for _ in 0..120 {
        match random.below(10) {
            0..4 => {
                let lines: String =
                    (0..1 + random.below(40)).map(|n| format!("line {} of {seed}\n", written + n)).collect();
                written += lines.lines().count() as u64;
                story.push(format!("write up to {written}"));
                world.append("a.log", lines);
            }
            4..6 => {
                story.push("poll".into());
                world.poll();
            }
            6 => {
                let packages = random.below(2) as u32;
                story.push(format!("kill after {packages}"));
                world.poll_until_killed(packages);
            }
            7 => world.wait(random.below(3000)),
            _ if world.path("a.log").exists() => {
                rotations += 1;
                // Older ones move up first, as logrotate does it.
                for n in (1..40).rev() {
                    for end in ["", ".gz"] {
                        if world.path(&format!("a.log.{n}{end}")).exists() {
                            world.rename(&format!("a.log.{n}{end}"), &format!("a.log.{}{end}", n + 1));
                        }
                    }
                }
                let kind = random.below(kinds);
                story.push(format!("rotate {kind}"));
                match kind {
                    0 | 1 => world.rename("a.log", "a.log.1"),
                    2 => {
                        world.copy("a.log", "a.log.1");
                        world.truncate("a.log");
                    }
                    _ => {
                        world.rename("a.log", "a.log.1");
                        world.gzip("a.log.1", "a.log.1.gz");
                    }
                }
            }
            _ => {}
        }
    }
    // Folders in which nothing happens are not looked at with every poll.
    world.wait(1500);
    world.poll();
    let mut counts: BTreeMap<String, u32> = BTreeMap::new();
    for body in world.bodies() {
        *counts.entry(body).or_default() += 1;
    }
    let missing: Vec<u64> = (0..written).filter(|n| !counts.contains_key(&format!("line {n} of {seed}"))).collect();
    let doubled: Vec<&String> = counts.iter().filter(|(_, count)| **count > 1).map(|(line, _)| line).collect();
    assert!(
        missing.is_empty() && doubled.is_empty(),
        "seed {seed}, {keys}: missing {missing:?}, doubled {doubled:?} after {rotations} rotations:\n{}",
        story.join("\n")
    );
}

#[test]
fn each_line_once_whatever_happens() {
    for seed in 0..seeds() {
        run(seed, r#"{"include": ["DIR/a.log*"], "compression": "gzip"}"#, 4);
    }
}

#[test]
fn each_line_once_though_rotated_files_have_other_names() {
    for seed in 1000..1000 + seeds() {
        run(seed, "{}", 4);
    }
}
