//! The simulator's suite: every journey, every moment at which something can go wrong.

mod control;
mod disk;
mod faults;
mod journeys;
mod mutations;
mod plugs;
mod scripts;
mod seeds;
mod storms;
mod sweep;
