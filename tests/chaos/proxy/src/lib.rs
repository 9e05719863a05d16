//! A TCP proxy that breaks on demand: what happens to a network, at the moment that hurts.
