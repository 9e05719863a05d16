//! boxoffice-api
