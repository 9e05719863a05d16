//! The product's links, as far as a test may break them.

/// Who talks to whom. `boxoffice all` is workers and API in one and uses the workers' links.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Link {
    ApiBroker,
    WorkersBroker,
    ApiMysql,
    WorkersMysql,
    /// Of the API too: the documents have one link.
    WorkersMongodb,
    WorkersGateway,
    /// Webhooks: the gateway is the client.
    GatewayApi,
    WorkersSmtp,
}

impl Link {
    pub const ALL: [Self; 8] = [
        Self::ApiBroker,
        Self::WorkersBroker,
        Self::ApiMysql,
        Self::WorkersMysql,
        Self::WorkersMongodb,
        Self::WorkersGateway,
        Self::GatewayApi,
        Self::WorkersSmtp,
    ];

    /// As reports name it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::ApiBroker => "api-broker",
            Self::WorkersBroker => "workers-broker",
            Self::ApiMysql => "api-mysql",
            Self::WorkersMysql => "workers-mysql",
            Self::WorkersMongodb => "workers-mongodb",
            Self::WorkersGateway => "workers-gateway",
            Self::GatewayApi => "gateway-api",
            Self::WorkersSmtp => "workers-smtp",
        }
    }
}
