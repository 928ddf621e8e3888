//! Changes of real SQLite files, made and taken back.

mod backups;
mod changes;
mod down;
mod preview;
mod property;
mod protocol;
mod world;
