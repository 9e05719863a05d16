//! The house under fire: the world, its own servers, and a fault proxy in each link.

use boxoffice_integration::{World, private_broker::PrivateBroker};
use tokio::sync::Mutex;

/// Everything a fault can happen to.
pub struct Stage {
    pub world: Mutex<World>,
    pub broker: Mutex<PrivateBroker>,
}
