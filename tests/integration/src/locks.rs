//! Who waits for a lock.

/// What to count for those who wait for a row that another transaction holds, whichever table it is of and whosever
/// world: neither server shows everybody more than that.
pub const WAITING: &str = "information_schema.innodb_trx WHERE trx_state = 'LOCK WAIT'";
