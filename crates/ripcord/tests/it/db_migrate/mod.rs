//! `ripcord db up`, `down` and what is around them, as the shipped binary runs them against a real
//! server: beside the tools whose folders they are, killed at every place, started twice, and fed
//! with nonsense. What migrations do is tested beside the library.

mod bad_input;
mod belongings;
mod forecasts;
mod kills;
mod modes;
mod tools;
mod world;
