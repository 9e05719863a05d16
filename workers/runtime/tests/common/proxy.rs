//! A link to the database that can fail in the ways that matter.

use crate::common::World;
use boxoffice_fault_proxy::{Act, Point, Proxy, Rule, RuleId};
use boxoffice_runtime::DatabaseConfig;

/// A proxy in front of the world's database, and how to reach the schema through it.
pub(crate) async fn to_database(world: &World) -> (Proxy, DatabaseConfig) {
    let url = &world.database_config.url;
    let place = url.split('@').nth(1).unwrap().split('/').next().unwrap();
    let proxy = Proxy::start(place.to_owned()).await;
    let config = DatabaseConfig {
        // Unencrypted, or the proxy could not read along; MySQL's server would offer TLS.
        url: url.replace(place, &proxy.address.to_string()) + "?ssl-mode=disabled",
        ..world.database_config.clone()
    };
    (proxy, config)
}

/// Something that happens once.
pub(crate) fn once(proxy: &Proxy, at: Point, act: Act) -> RuleId {
    proxy.arm(Rule { at, act, times: 1 })
}
