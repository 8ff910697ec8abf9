//! Gives each test a DynamoDB of its own, with the cursor table of `oci-poll`: an emulator in this
//! process, or DynamoDB Local (`TEST_DYNAMODB`).

use anyhow::Context as _;
use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::primitives::Blob;
use aws_sdk_dynamodb::types::{
    AttributeDefinition, AttributeValue, BillingMode, KeySchemaElement, KeyType,
    ScalarAttributeType,
};
use dynoxide::Database;
use shared::config::Environment;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

/// The table's name.
pub const CURSOR_TABLE: &str = "chart-discovery-cursor";

/// The address of a running DynamoDB Local in the environment. `TEST_DYNAMODB=local` lets `stack
/// exec` start one and set this.
pub const ENDPOINT: &str = "TEST_DYNAMODB_ENDPOINT";

/// A DynamoDB with a cursor table. Dropping it ends the emulator in this process.
#[derive(Debug)]
pub struct DynamoDb {
    endpoint: String,
    access_key: String,
    server: Option<JoinHandle<()>>,
}

impl DynamoDb {
    /// Starts an emulator, or uses the running DynamoDB Local, and creates the empty table.
    ///
    /// # Errors
    /// Fails if the emulator does not start.
    pub async fn start() -> anyhow::Result<Self> {
        let emulator = match Environment::of_process().get(ENDPOINT) {
            // DynamoDB Local keeps the tables of each access key apart.
            Some(endpoint) => {
                let access_key = uuid::Uuid::new_v4().simple().to_string();
                Self { endpoint: endpoint.to_owned(), access_key, server: None }
            }
            None => Self::start_emulator().await?,
        };
        emulator.create_cursor_table().await.context("cannot create the cursor table")?;
        Ok(emulator)
    }

    async fn start_emulator() -> anyhow::Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let endpoint = format!("http://{}", listener.local_addr()?);
        let database = Database::memory()
            .map_err(|error| anyhow::anyhow!("the DynamoDB emulator: {error}"))?;
        let server = tokio::spawn(dynoxide::server::serve_on(listener, database));
        Ok(Self { endpoint, access_key: "local".to_owned(), server: Some(server) })
    }

    /// Returns the emulator's address, for `AWS_ENDPOINT_URL_DYNAMODB`.
    #[must_use]
    pub fn endpoint(&self) -> &str {
        &self.endpoint
    }

    /// Returns the settings with which `oci-poll` finds the table.
    #[must_use]
    pub fn settings(&self) -> [(&str, &str); 5] {
        [
            ("CURSOR_TABLE", CURSOR_TABLE),
            ("AWS_ENDPOINT_URL_DYNAMODB", self.endpoint()),
            ("AWS_REGION", "us-east-1"),
            ("AWS_ACCESS_KEY_ID", &self.access_key),
            ("AWS_SECRET_ACCESS_KEY", "local"),
        ]
    }

    /// Returns a client of the emulator.
    pub async fn client(&self) -> Client {
        Client::new(&crate::aws::config_with_key(&self.endpoint, &self.access_key).await)
    }

    /// Deletes all items.
    ///
    /// # Errors
    /// Fails if the table cannot be created again.
    pub async fn clear(&self) -> anyhow::Result<()> {
        self.client().await.delete_table().table_name(CURSOR_TABLE).send().await?;
        self.create_cursor_table().await
    }

    /// Writes an item with these packed bytes, valid or not.
    ///
    /// # Errors
    /// Fails if the emulator refuses the item.
    pub async fn put_packed(&self, pk: &str, sk: &str, bytes: &[u8]) -> anyhow::Result<()> {
        let put = self.client().await.put_item().table_name(CURSOR_TABLE);
        let put = put
            .item("pk", AttributeValue::S(pk.to_owned()))
            .item("sk", AttributeValue::S(sk.to_owned()));
        put.item("packed", AttributeValue::B(Blob::new(bytes))).send().await?;
        Ok(())
    }

    async fn create_cursor_table(&self) -> anyhow::Result<()> {
        let mut create = self.client().await.create_table().table_name(CURSOR_TABLE);
        for (name, key) in [("pk", KeyType::Hash), ("sk", KeyType::Range)] {
            let attribute = AttributeDefinition::builder();
            let attribute =
                attribute.attribute_name(name).attribute_type(ScalarAttributeType::S).build()?;
            let element = KeySchemaElement::builder().attribute_name(name).key_type(key).build()?;
            create = create.attribute_definitions(attribute).key_schema(element);
        }
        create.billing_mode(BillingMode::PayPerRequest).send().await?;
        Ok(())
    }
}

impl Drop for DynamoDb {
    fn drop(&mut self) {
        if let Some(server) = &self.server {
            server.abort();
        }
    }
}
