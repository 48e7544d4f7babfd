//! The shop's twenty services, their pods, and the journeys that users make through them.

/// A service.
#[derive(Debug)]
pub(crate) struct Service {
    pub(crate) name: &'static str,
    pub(crate) language: &'static str,
    pub(crate) namespace: &'static str,
    pub(crate) version: &'static str,
    pub(crate) pods: u64,
}

const fn service(
    name: &'static str,
    language: &'static str,
    namespace: &'static str,
    version: &'static str,
    pods: u64,
) -> Service {
    Service { name, language, namespace, version, pods }
}

/// All of them; journeys name them by index.
pub(crate) const SERVICES: [Service; 20] = [
    service("frontend", "nodejs", "web", "4.18.2", 12),
    service("checkout", "go", "shop", "2.7.0", 8),
    service("cart", "dotnet", "shop", "1.44.1", 6),
    service("catalogue", "go", "shop", "3.2.9", 8),
    service("currency", "cpp", "shop", "1.3.0", 4),
    service("payment", "java", "money", "5.0.3", 6),
    service("shipping", "rust", "logistics", "0.19.4", 4),
    service("email", "ruby", "comms", "1.8.8", 3),
    service("accounting", "dotnet", "money", "2.1.5", 3),
    service("fraud-detection", "java", "money", "1.12.0", 4),
    service("recommendation", "python", "discovery", "7.3.1", 6),
    service("ads", "java", "discovery", "2.9.6", 5),
    service("search", "java", "discovery", "6.1.0", 6),
    service("inventory", "go", "logistics", "1.0.77", 5),
    service("users", "go", "identity", "4.4.0", 6),
    service("auth", "rust", "identity", "1.21.3", 6),
    service("reviews", "python", "discovery", "0.9.12", 3),
    service("image-proxy", "cpp", "web", "1.2.2", 4),
    service("feature-flags", "erlang", "platform", "0.6.0", 2),
    service("notifications", "nodejs", "comms", "3.3.3", 3),
];

/// What a step does. Calls to another service become two spans: the caller's and the callee's.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Action {
    /// A user's request arrives: method and route.
    Enter(&'static str, &'static str),
    /// HTTP to another service: method and route there.
    Http(usize, &'static str, &'static str),
    /// gRPC to another service: service and method there.
    Rpc(usize, &'static str, &'static str),
    /// A database: operation, table, statement.
    Sql(&'static str, &'static str, &'static str),
    /// A cache: command.
    Cache(&'static str),
    /// A message to a topic, and the service that consumes it.
    Publish(&'static str, usize),
    /// Work inside the service.
    Work(&'static str),
}

/// A step of a journey: what, how often at most, with which chance in percent each time, and what follows inside it.
#[derive(Debug)]
pub(crate) struct Step {
    pub(crate) action: Action,
    pub(crate) times_max: u64,
    pub(crate) percent: u64,
    pub(crate) median_us: u32,
    pub(crate) inside: &'static [Step],
}

const fn step(action: Action, times_max: u64, percent: u64, median_us: u32, inside: &'static [Step]) -> Step {
    Step { action, times_max, percent, median_us, inside }
}

use Action::{Cache, Enter, Http, Publish, Rpc, Sql, Work};

const PRODUCT: &[Step] = &[
    step(Cache("GET"), 1, 70, 400, &[]),
    step(Sql("SELECT", "products", "SELECT id, name, price, currency FROM products WHERE id = $1"), 1, 50, 1_800, &[]),
];

const AUTH: &[Step] = &[
    step(Cache("GET"), 1, 90, 300, &[]),
    step(Sql("SELECT", "sessions", "SELECT user_id, expires_at FROM sessions WHERE token = $1"), 1, 15, 1_200, &[]),
];

const CHARGE: &[Step] = &[
    step(Work("validate card"), 1, 80, 500, &[]),
    step(
        Sql("INSERT", "charges", "INSERT INTO charges (id, order_id, amount, currency) VALUES ($1, $2, $3, $4)"),
        1,
        95,
        2_500,
        &[],
    ),
];

const CHECKOUT: &[Step] = &[
    step(Rpc(2, "shop.CartService", "GetCart"), 1, 100, 2_000, &[step(Cache("HGETALL"), 1, 100, 500, &[])]),
    step(Rpc(3, "shop.CatalogueService", "GetProduct"), 4, 45, 2_500, PRODUCT),
    step(Rpc(4, "shop.CurrencyService", "Convert"), 2, 40, 800, &[]),
    step(Http(6, "POST", "/v1/quotes"), 1, 90, 3_000, &[]),
    step(Rpc(5, "money.PaymentService", "Charge"), 1, 100, 45_000, CHARGE),
    step(
        Sql("INSERT", "orders", "INSERT INTO orders (id, user_id, total, created_at) VALUES ($1, $2, $3, now())"),
        1,
        100,
        3_000,
        &[],
    ),
    step(
        Publish("orders", 8),
        1,
        90,
        900,
        &[step(Sql("INSERT", "entries", "INSERT INTO entries (order_id, amount) VALUES ($1, $2)"), 1, 90, 2_000, &[])],
    ),
    step(Publish("orders.fraud", 9), 1, 60, 900, &[step(Work("score order"), 1, 90, 12_000, &[])]),
    step(Publish("mail", 7), 1, 40, 700, &[step(Work("render template"), 1, 80, 4_000, &[])]),
];

/// The journeys with their weights; about eight spans on average, 1 to some 30.
pub(crate) const JOURNEYS: &[(u64, Step)] = &[
    (14, step(Enter("GET", "/healthz"), 1, 100, 150, &[])),
    (12, step(Enter("GET", "/img/{id}"), 1, 100, 4_000, &[step(Http(17, "GET", "/render/{id}"), 1, 60, 3_000, &[])])),
    (
        26,
        step(
            Enter("GET", "/product/{id}"),
            1,
            100,
            18_000,
            &[
                step(Rpc(15, "identity.Auth", "Check"), 1, 40, 900, AUTH),
                step(Rpc(3, "shop.CatalogueService", "GetProduct"), 1, 100, 3_000, PRODUCT),
                step(
                    Rpc(10, "discovery.Recommendations", "List"),
                    1,
                    35,
                    9_000,
                    &[step(Cache("MGET"), 1, 80, 600, &[])],
                ),
                step(
                    Http(16, "GET", "/reviews/{id}"),
                    1,
                    25,
                    6_000,
                    &[step(
                        Sql(
                            "SELECT",
                            "reviews",
                            "SELECT author, stars, body FROM reviews WHERE product_id = $1 ORDER BY created_at DESC LIMIT 20",
                        ),
                        1,
                        90,
                        4_000,
                        &[],
                    )],
                ),
                step(Rpc(11, "discovery.Ads", "Pick"), 1, 30, 2_000, &[]),
            ],
        ),
    ),
    (
        14,
        step(
            Enter("GET", "/search"),
            1,
            100,
            35_000,
            &[
                step(Rpc(18, "platform.Flags", "Evaluate"), 1, 40, 300, &[]),
                step(
                    Http(12, "GET", "/v2/query"),
                    1,
                    100,
                    25_000,
                    &[
                        step(Work("rank"), 1, 70, 6_000, &[]),
                        step(
                            Sql("SELECT", "documents", "SELECT id, score FROM documents WHERE terms @@ $1 LIMIT $2"),
                            2,
                            80,
                            9_000,
                            &[],
                        ),
                    ],
                ),
            ],
        ),
    ),
    (
        14,
        step(
            Enter("POST", "/api/cart/{id}/items"),
            1,
            100,
            12_000,
            &[
                step(Rpc(15, "identity.Auth", "Check"), 1, 90, 900, AUTH),
                step(Rpc(2, "shop.CartService", "AddItem"), 1, 100, 2_500, &[step(Cache("HSET"), 1, 100, 500, &[])]),
                step(
                    Http(13, "GET", "/stock/{id}"),
                    1,
                    60,
                    3_500,
                    &[step(
                        Sql("SELECT", "stock", "SELECT warehouse, quantity FROM stock WHERE product_id = $1 FOR SHARE"),
                        1,
                        95,
                        2_200,
                        &[],
                    )],
                ),
            ],
        ),
    ),
    (
        8,
        step(
            Enter("POST", "/api/orders/{id}/checkout"),
            1,
            100,
            120_000,
            &[
                step(Rpc(15, "identity.Auth", "Check"), 1, 95, 900, AUTH),
                step(Rpc(1, "shop.CheckoutService", "PlaceOrder"), 1, 100, 90_000, CHECKOUT),
            ],
        ),
    ),
    (
        12,
        step(
            Enter("GET", "/api/users/{id}/orders"),
            1,
            100,
            15_000,
            &[
                step(Rpc(15, "identity.Auth", "Check"), 1, 95, 900, AUTH),
                step(
                    Rpc(14, "identity.Users", "Get"),
                    1,
                    70,
                    2_000,
                    &[step(
                        Sql("SELECT", "users", "SELECT id, name, email FROM users WHERE id = $1"),
                        1,
                        60,
                        1_500,
                        &[],
                    )],
                ),
                step(
                    Sql(
                        "SELECT",
                        "orders",
                        "SELECT id, total, state FROM orders WHERE user_id = $1 ORDER BY created_at DESC LIMIT 50",
                    ),
                    1,
                    100,
                    5_000,
                    &[],
                ),
                step(Publish("push", 19), 1, 20, 600, &[]),
            ],
        ),
    ),
];
