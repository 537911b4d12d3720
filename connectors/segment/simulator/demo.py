"""Fernhill Outdoor, the small company of the demo: invented, with the gaps that real companies have.

Told so that several of the portal's checks pass and several fail: five owners of whom one is a shared account, an
outsider with a free-mail address, invitations that nobody takes, advertising without a filter, sources without a
plan, one that lets unplanned events through, a webhook without encryption, a test source that feeds production.
"""

from .company import WORKSPACE_OWNER, Company, Destination, Grant, Group, Person, Plan, Source

OWNER = (Grant(WORKSPACE_OWNER),)
TOO_MUCH = (Grant("Source Admin"), Grant("Tracking Plan Admin"), Grant("Function Admin"))
MINIMAL = Grant("Minimal Workspace Access")
WAREHOUSE = Grant("Warehouse Destination Admin", warehouse=0)

SOURCES = (
    Source("Website", "javascript", "production", "digital", plan=0),  # 0
    Source("iOS app", "swift", "production", "apps", plan=1),
    Source("Android app", "kotlin", "production", "apps", plan=1),
    Source("Order service", "node", "production", "commerce", plan=2),
    Source("Inventory service", "go", "production", "commerce"),
    Source("Loyalty service", "python", "production", ""),  # 5
    Source("Help desk", "zendesk", "production", "care", plan=3),
    Source("CRM", "salesforce", "production", "care"),
    Source("Payments", "stripe", "production", "commerce", plan=2),
    Source("E-mail delivery", "sendgrid", "production", "digital"),
    Source("Store tills", "http-api", "production", "stores", plan=2, strict=False),  # 10
    Source("نقاط البيع – دبي", "http-api", "production", "stores", plan=2),
    Source("Kyoto shop tills", "http-api", "production", "stores", plan=4),
    Source("Website (staging)", "javascript", "staging", "digital", plan=0),
    Source("iOS app (test)", "swift", "test", "apps"),
    Source("Trail stories blog", "javascript", "", ""),  # 15
    Source("Returns portal", "javascript", "production", "care", plan=0),
    Source("Survey forms", "typeform", "production", "care", plan=3),
    Source("Customer database", "reverse-etl-postgres", "production", "platform"),
    Source("Old web shop", "javascript", "production", "", enabled=False),
)

DESTINATIONS = (
    Destination("Web analytics", "google-analytics-4", 0, filters=1),
    Destination("Search ads", "google-ads-conversions", 0),
    Destination("Social ads", "facebook-conversions-api", 0, filters=2),
    Destination("Inspiration boards", "pinterest-tag", 0),
    Destination("Product analytics (web)", "amplitude", 0),
    Destination("Session recordings", "hotjar", 0, filters=1),
    Destination("Page experiments", "optimizely", 0),
    Destination("Customer messaging (web)", "braze", 0, filters=1),
    Destination("Chat on the website", "intercom", 0),
    Destination("Event stream", "amazon-kinesis", 0),
    Destination("Product analytics (iOS)", "amplitude", 1),
    Destination("App installs (iOS)", "appsflyer", 1, filters=1),
    Destination("Push messages (iOS)", "airship", 1),
    Destination("Customer messaging (iOS)", "braze", 1),
    Destination("Crash reports (iOS)", "sentry", 1),
    Destination("Product analytics (Android)", "amplitude", 2),
    Destination("App installs (Android)", "appsflyer", 2),
    Destination("Push messages (Android)", "airship", 2),
    Destination("Short video ads", "tiktok-conversions", 2, filters=1),
    Destination("Order confirmations", "customer-io", 3),
    Destination("Parcel notices", "twilio-sms", 3, filters=1),
    Destination("Carrier hook", "webhooks", 3, endpoint="http://hooks.carrier.example.net/orders"),
    Destination("Order archive", "amazon-s3", 3),
    Destination("Accounting hook", "webhooks", 3, endpoint="https://accounting.example.com/in"),
    Destination("Stock alerts", "webhooks", 4, endpoint="https://stock.example.com/events"),
    Destination("Points newsletter", "mailchimp", 5),
    Destination("Loyalty analytics", "mixpanel", 5, enabled=False),
    Destination("Ticket follow-up", "braze", 6),
    Destination("Tickets to CRM", "salesforce", 6, filters=1),
    Destination("Leads to help desk", "zendesk", 7),
    Destination("Payment events archive", "amazon-s3", 8),
    Destination("Bounce handling", "customer-io", 9),
    Destination("Till analytics", "mixpanel", 10),
    Destination("Dubai receipts", "mailchimp", 11),
    Destination("Kyoto analytics", "google-analytics-4", 12),
    Destination("Web analytics (production property)", "google-analytics-4", 13),
    Destination("Product analytics (test)", "amplitude", 14),
    Destination("Blog analytics", "google-analytics-4", 15),
    Destination("Customer list for ads", "facebook-conversions-api", 18),
    Destination("Old shop ads", "google-ads-conversions", 19, enabled=False),
)

# fmt: off
PEOPLE = (
    Person("Maren Holtby", "maren.holtby@example.com", OWNER),  # 0
    Person("Tobias Lindeqvist", "tobias.lindeqvist@example.com", OWNER),
    Person("Adaeze Okorafu", "adaeze.okorafu@example.com", OWNER),
    Person("Priya Ramanthal", "priya.ramanthal@example.com", OWNER),
    Person("Fernhill Admin", "admin@example.com", OWNER),
    Person("Jonas Weidenbach", "jonas.weidenbach@example.com", TOO_MUCH),  # 5
    Person("Saoirse Kinnegan", "saoirse.kinnegan@example.com", (MINIMAL, Grant("Source Admin", (0, 13)))),
    Person("Mateo Alvarenga", "mateo.alvarenga@example.com", (MINIMAL, Grant("Source Admin", (1, 2, 14)))),
    Person("Hanneke Dijkvoort", "hanneke.dijkvoort@example.com", (MINIMAL, WAREHOUSE)),
    Person("Kwabena Asantefe", "kwabena.asantefe@example.com", (MINIMAL, Grant("End User Privacy Admin"))),
    Person("Yumi Hoshikawa", "yumi.hoshikawa@example.com", (MINIMAL, Grant("Source Read-only", (12,)))),  # 10
    Person("Layla Haddarin", "layla.haddarin@example.com", (MINIMAL, Grant("Source Read-only", (11,)))),
    Person("Oskar Nyborg", "oskar.nyborg@example.com"),
    Person("Chiara Montebianco", "chiara.montebianco@example.com"),
    Person("Declan Rowanstone", "declan.rowanstone@example.com", (MINIMAL, Grant("Tracking Plan Admin"))),
    Person("Zofia Kaminarska", "zofia.kaminarska@example.com", (MINIMAL, Grant("Function Admin"))),  # 15
    Person("Emil Sandvarg", "emil.sandvarg@example.com"),
    Person("Noor Vantongeren", "noor.vantongeren@example.com"),
    Person("Beatriz Salgueira", "beatriz.salgueira@example.com", (MINIMAL, Grant("Source Read-only", (6, 7)))),
    Person("Rafe Thornbury", "rafe.thornbury@example.com"),
    Person("Ingeborg Solheimen", "ingeborg.solheimen@example.com"),  # 20
    Person("Pavel Horakovic", "pavel.horakovic@example.com", (MINIMAL, Grant("Source Read-only", (), None, "staging"))),
    Person("Sunniva Brekkelund", "sunniva.brekkelund@example.com"),
    Person("Studio Nordlys", "team@studio-nordlys.example.net", (MINIMAL, Grant("Source Admin", (15,)))),
    Person("Gil Freelance", "gil.freelance@freemail.example", (MINIMAL, Grant("Source Read-only"))),
)

# fmt: on
PLANS = (
    Plan("Web storefront", "shop", "What the website and the returns portal may send."),
    Plan("Mobile apps", "app", "Events of the two apps, agreed with the apps team each quarter."),
    Plan("Orders and payments", "orders", "Server-side events around an order, its payment and its parcel."),
    Plan("Customer care", "care", "Tickets, calls and surveys."),
    Plan("京都店舗イベント", "stores", "京都の店舗から送られるイベント。"),
)

GROUPS = (
    Group("Digital analytics", (0, 6, 13, 17, 23), (Grant("Source Read-only"), Grant("Tracking Plan Admin"))),
    Group("Customer care", (12, 18, 19, 20), (Grant("Source Read-only", (6, 7, 16, 17)),)),
    Group("Engineering", (1, 5, 7, 15, 16, 21, 22), (Grant("Source Admin", (1, 2, 3, 4, 5)), Grant("Function Admin"))),
    Group("Privacy desk", (9, 2), (Grant("End User Privacy Admin"), Grant("Source Read-only"))),
)

FERNHILL = Company(
    slug="fernhill-outdoor",
    name="Fernhill Outdoor",
    sources=SOURCES,
    destinations=DESTINATIONS,
    people=PEOPLE,
    plans=PLANS,
    groups=GROUPS,
    warehouses=(
        ("Analytics warehouse", "bigquery", (0, 1, 2, 3, 5, 6, 7, 8, 10, 11, 12, 16)),
        ("Finance mart", "postgres", (3, 8, 10)),
    ),
    invites=("dana.overdue@example.com", "temp.agency@agency.example.net", "old.contractor@freemail.example"),
    labels={
        ("data_class", "customer"): "Holds data about identifiable customers",
        ("data_class", "operational"): "Holds no data about people",
    },
)
