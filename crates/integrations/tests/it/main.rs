//! Tests of sources with real servers and processes.
