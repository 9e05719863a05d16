//! What must hold, whatever happened before: the checks of a running box office.
