//! boxoffice-store
