//! Files written, rotated, cut, copied and lost, while they are read and while nobody reads: each line once.

mod bounds;
mod joining;
mod lines;
mod model;
mod refusals;
mod rotation;
mod world;
