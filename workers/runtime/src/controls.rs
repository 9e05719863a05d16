//! What people have ordered of roles and queues: hold, drain, until when and why. Rows, so that an order
//! outlives every process that obeys it.

use crate::Failure;
use boxoffice_contracts::{Instant, topology};
use sea_orm::{ConnectionTrait, DbBackend, DbErr, QueryResult, Statement, Value};

/// How a queue or a role is held.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Hold {
    /// Nothing more is taken; what is in hand is finished.
    Pause,
    /// The same, and it is said when nothing is in hand any more.
    Drain,
}

impl Hold {
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Pause => "pause",
            Self::Drain => "drain",
        }
    }

    fn from_text(text: &str) -> Self {
        if text == Self::Drain.as_str() {
            Self::Drain
        } else {
            Self::Pause
        }
    }
}

/// What is held.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Target {
    Role(String),
    Queue(String),
}

impl Target {
    #[must_use]
    pub const fn kind(&self) -> &'static str {
        match self {
            Self::Role(_) => "role",
            Self::Queue(_) => "queue",
        }
    }

    #[must_use]
    pub fn name(&self) -> &str {
        match self {
            Self::Role(name) | Self::Queue(name) => name,
        }
    }
}

/// One order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Control {
    pub target: Target,
    pub hold: Hold,
    pub reason: String,
    /// Subject of whoever ordered it.
    pub by: String,
    pub at: Instant,
    /// When it ends by itself.
    pub until: Option<Instant>,
}

impl Control {
    /// Whether it concerns this queue of this role; the queue of a role without one is empty.
    #[must_use]
    pub fn concerns(&self, role: &str, queue: &str) -> bool {
        match &self.target {
            Target::Role(name) => name == role,
            Target::Queue(name) => {
                let line_of = topology::queue(queue).and_then(|queue| queue.line_of);
                name == queue || line_of == Some(name.as_str())
            }
        }
    }
}

const COLUMNS: &str = "kind, name, mode, reason, set_by, set_at, until_at";

/// Orders that have not ended, by the database's clock.
///
/// # Errors
/// When the database can't be asked.
pub async fn effective(db: &impl ConnectionTrait) -> Result<Vec<Control>, DbErr> {
    let ask = format!(
        "SELECT {COLUMNS} FROM controls WHERE until_at IS NULL OR until_at > UTC_TIMESTAMP(6) \
         ORDER BY kind, name"
    );
    let rows = db
        .query_all_raw(Statement::from_string(DbBackend::MySql, ask))
        .await?;
    rows.iter().map(control).collect()
}

/// Writes an order; it takes the place of the one before.
///
/// # Errors
/// When the database refuses.
pub async fn set(db: &impl ConnectionTrait, control: &Control) -> Result<(), DbErr> {
    let upsert = format!(
        "INSERT INTO controls ({COLUMNS}) VALUES (?,?,?,?,?,?,?) ON DUPLICATE KEY UPDATE mode = VALUES(mode), \
         reason = VALUES(reason), set_by = VALUES(set_by), set_at = VALUES(set_at), until_at = VALUES(until_at)"
    );
    let values: [Value; 7] = [
        control.target.kind().into(),
        control.target.name().into(),
        control.hold.as_str().into(),
        control.reason.clone().into(),
        control.by.clone().into(),
        control.at.into(),
        control.until.into(),
    ];
    let statement = Statement::from_sql_and_values(DbBackend::MySql, upsert, values);
    db.execute_raw(statement).await?;
    Ok(())
}

/// Takes an order back; returns it if there was one that had not ended.
///
/// # Errors
/// When the database refuses.
pub async fn lift(db: &impl ConnectionTrait, target: &Target) -> Result<Option<Control>, DbErr> {
    let ask = format!(
        "SELECT {COLUMNS} FROM controls WHERE kind = ? AND name = ? \
         AND (until_at IS NULL OR until_at > UTC_TIMESTAMP(6)) FOR UPDATE"
    );
    let key: [Value; 2] = [target.kind().into(), target.name().into()];
    let ask = Statement::from_sql_and_values(DbBackend::MySql, ask, key.clone());
    let found = db.query_one_raw(ask).await?;
    let found = found.as_ref().map(control).transpose()?;
    let delete = "DELETE FROM controls WHERE kind = ? AND name = ?";
    let delete = Statement::from_sql_and_values(DbBackend::MySql, delete, key);
    db.execute_raw(delete).await?;
    Ok(found)
}

/// Deletes orders that have ended, and returns them.
///
/// # Errors
/// When the database refuses.
pub async fn take_ended(tx: &crate::Tx) -> Result<Vec<Control>, Failure> {
    let ask = format!(
        "SELECT {COLUMNS} FROM controls WHERE until_at <= UTC_TIMESTAMP(6) FOR UPDATE SKIP LOCKED"
    );
    let rows = tx
        .db()
        .query_all_raw(Statement::from_string(DbBackend::MySql, ask))
        .await?;
    let ended: Vec<Control> = rows.iter().map(control).collect::<Result<_, _>>()?;
    for control in &ended {
        let key: [Value; 2] = [control.target.kind().into(), control.target.name().into()];
        let delete = "DELETE FROM controls WHERE kind = ? AND name = ?";
        let delete = Statement::from_sql_and_values(DbBackend::MySql, delete, key);
        tx.db().execute_raw(delete).await?;
    }
    Ok(ended)
}

fn control(row: &QueryResult) -> Result<Control, DbErr> {
    let kind: String = row.try_get("", "kind")?;
    let name: String = row.try_get("", "name")?;
    let mode: String = row.try_get("", "mode")?;
    let at: chrono::NaiveDateTime = row.try_get("", "set_at")?;
    let until: Option<chrono::NaiveDateTime> = row.try_get("", "until_at")?;
    Ok(Control {
        target: if kind == "role" {
            Target::Role(name)
        } else {
            Target::Queue(name)
        },
        hold: Hold::from_text(&mode),
        reason: row.try_get("", "reason")?,
        by: row.try_get("", "set_by")?,
        at: at.and_utc(),
        until: until.map(|until| until.and_utc()),
    })
}

/// The hold of each slot: a drain says more than a pause.
pub(crate) fn holds(
    controls: &[Control],
    role: &str,
    queues: &[&'static str],
) -> Vec<Option<Hold>> {
    let of = |queue: &str| {
        let concerned = controls.iter().filter(|each| each.concerns(role, queue));
        concerned
            .map(|each| each.hold)
            .max_by_key(|hold| *hold == Hold::Drain)
    };
    if queues.is_empty() {
        return vec![of("")];
    }
    queues.iter().map(|queue| of(queue)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn control(target: Target, hold: Hold) -> Control {
        Control {
            target,
            hold,
            reason: "a test".to_owned(),
            by: "ada".to_owned(),
            at: chrono::DateTime::UNIX_EPOCH,
            until: None,
        }
    }

    #[test]
    fn a_role_holds_all_its_queues_and_a_queue_itself_and_its_lines() {
        let queues = [
            "reservations",
            "reservations.submit",
            "reservations.submit.1",
        ];
        let of = |controls: &[Control]| holds(controls, "reservations", &queues);
        let queue = |name: &str| Target::Queue(name.to_owned());
        let submit = control(queue("reservations.submit"), Hold::Pause);
        assert_eq!(of(&[]), [None; 3]);
        let pause = Some(Hold::Pause);
        assert_eq!(of(std::slice::from_ref(&submit)), [None, pause, pause]);
        let line = control(queue("reservations.submit.1"), Hold::Pause);
        assert_eq!(of(&[line]), [None, None, pause]);
        let role = control(Target::Role("reservations".to_owned()), Hold::Drain);
        let other = control(Target::Role("mail".to_owned()), Hold::Drain);
        assert_eq!(of(&[submit, role, other.clone()]), [Some(Hold::Drain); 3]);
        assert_eq!(holds(&[other], "mail", &[]), [Some(Hold::Drain)]);
    }
}
