//! Connections that the broker closes under everybody: once, or again and again.

use super::{
    kind,
    tools::{between_ms, ctl, house_ready, reconnect, vhost},
};
use crate::{
    fault::{Fault, Kind},
    stage::Stage,
};
use anyhow::Context as _;
use async_trait::async_trait;
use std::time::Duration;

/// Of "again and again": more often than the broker delivers a message (its limit is 20), were each of these cuts a try.
const CUTS: u32 = 24;
const EVERY: Duration = Duration::from_secs(1);

pub(super) const KINDS: &[Kind] = &[
    kind("broker.close_connections", 5, |dice| {
        Box::new(Closed {
            kind: "broker.close_connections",
            // Also those of the API; some may be opening just now.
            whose: Whose::Everybodys,
            cuts: 1,
            lasts: between_ms(dice, 0..500),
            closed: 0,
        })
    }),
    kind("broker.cut_consumers", 1, |_| {
        Box::new(Closed {
            kind: "broker.cut_consumers",
            whose: Whose::Consumers,
            cuts: CUTS,
            lasts: EVERY * CUTS,
            closed: 0,
        })
    }),
];

/// Ours are named by their purpose, the harness's have no name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Whose {
    Everybodys,
    Consumers,
}

impl Whose {
    /// How their names end.
    const fn suffix(self) -> &'static str {
        match self {
            Self::Everybodys => "",
            Self::Consumers => " consume",
        }
    }
}

struct Closed {
    kind: &'static str,
    whose: Whose,
    cuts: u32,
    lasts: Duration,
    closed: usize,
}

#[async_trait]
impl Fault for Closed {
    fn kind(&self) -> &'static str {
        self.kind
    }

    fn target(&self) -> String {
        match self.whose {
            Whose::Everybodys => "every connection",
            Whose::Consumers => "every consumer",
        }
        .to_owned()
    }

    fn lasts(&self) -> Duration {
        self.lasts
    }

    async fn strike(&mut self, stage: &Stage) -> anyhow::Result<()> {
        cut(stage, self.whose, self.cuts).await
    }

    async fn heal(&mut self, stage: &Stage) -> anyhow::Result<()> {
        self.closed = closed(stage).await?;
        if self.whose == Whose::Everybodys {
            reconnect(stage).await;
        }
        house_ready(stage).await
    }

    async fn effect(&mut self, _stage: &Stage) -> Option<String> {
        (self.closed > 0).then(|| format!("{} connections closed", self.closed))
    }
}

/// Has the broker close the product's connections to its vhost, now and then again; the first round is over when this
/// returns.
///
/// Done inside of the broker, because its management API's list is some seconds old and misses who has just come, and
/// because a call of `rabbitmqctl` costs a second of CPU time.
async fn cut(stage: &Stage, whose: Whose, cuts: u32) -> anyhow::Result<()> {
    let vhost = vhost(stage).await;
    let (suffix, pause) = (whose.suffix(), EVERY.as_millis());
    let script = format!(
        "Close = fun() -> length([rabbit_networking:close_connection(P, \"chaos\") \
         || [{{pid, P}}, {{vhost, <<\"{vhost}\">>}}, {{client_properties, C}}] \
         <- rabbit_networking:connection_info_all([pid, vhost, client_properties]), \
         {{_, _, N}} <- [lists:keyfind(<<\"connection_name\">>, 1, C)], \
         lists:suffix(\"{suffix}\", binary_to_list(N))]) end, \
         Note = fun(Closed) -> application:set_env(rabbit, chaos_closed, Closed) end, \
         First = Close(), Note(First), \
         spawn(fun() -> lists:foldl(fun(_, Sum) -> timer:sleep({pause}), New = Sum + Close(), Note(New), New end, \
         First, lists:seq(2, {cuts})) end), First."
    );
    ctl(stage, &["eval", &script]).await?;
    Ok(())
}

/// How many the last [`cut`] has closed until now.
async fn closed(stage: &Stage) -> anyhow::Result<usize> {
    let question = "{ok, Closed} = application:get_env(rabbit, chaos_closed), Closed.";
    let said = ctl(stage, &["eval", question]).await?;
    let closed = said.trim().parse();
    closed.with_context(|| format!("connections closed: {said}"))
}
