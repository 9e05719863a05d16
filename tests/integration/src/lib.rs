//! boxoffice-integration
