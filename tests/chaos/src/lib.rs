//! A box office under fire: real processes, real servers, and everything that can happen to them.
