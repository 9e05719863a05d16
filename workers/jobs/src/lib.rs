//! boxoffice-jobs
