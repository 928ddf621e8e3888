//! The simulator's suite: every journey, every moment at which something can go wrong.

mod faults;
mod journeys;
mod plugs;
mod seeds;
mod sweep;
