//! A request to AWS, and the rights that it needs.

use serde_json::Value;

use super::right::Right;

/// A request to AWS.
#[derive(Debug, Clone)]
pub struct AwsRequest {
    /// The service and the operation, such as `secretsmanager.GetSecretValue`; the path for Lambda.
    pub target: String,
    /// The body, if it is JSON.
    pub body: Value,
}

impl AwsRequest {
    /// Lists the rights that the request needs, with the resources in `us-east-1` and the account
    /// `123456789012`.
    #[must_use]
    pub fn rights(&self) -> Vec<Right> {
        let (service, operation) = self.target.rsplit_once('.').unwrap_or((&self.target, ""));
        match service {
            "secretsmanager" => {
                vec![Right::new(format!("secretsmanager:{operation}"), self.text("SecretId"))]
            }
            "AmazonEC2ContainerRegistry_V20150921" => vec![self.right_at_ecr(operation)],
            "AmazonSQS" => {
                // A batch needs the right of its single operation.
                let action = operation.strip_suffix("Batch").unwrap_or(operation);
                let queue = self.text("QueueUrl");
                let name = queue.rsplit('/').next().unwrap_or_default();
                vec![Right::new(format!("sqs:{action}"), arn("sqs", name))]
            }
            "DynamoDB_20120810" if operation == "TransactWriteItems" => self.rights_of_writes(),
            "DynamoDB_20120810" => {
                let table = arn("dynamodb", &format!("table/{}", self.text("TableName")));
                vec![Right::new(format!("dynamodb:{operation}"), table)]
            }
            _ => vec![self.right_by_path()],
        }
    }

    fn right_at_ecr(&self, operation: &str) -> Right {
        // ECR ties this call to no repository.
        if operation == "GetAuthorizationToken" {
            return Right::new("ecr:GetAuthorizationToken", "*");
        }
        let repository = arn("ecr", &format!("repository/{}", self.text("repositoryName")));
        Right::new(format!("ecr:{operation}"), repository)
    }

    /// A transaction needs the rights of its items' operations.
    fn rights_of_writes(&self) -> Vec<Right> {
        let items = self.body.get("TransactItems").and_then(Value::as_array);
        let writes = items.into_iter().flatten().filter_map(Value::as_object).flatten();
        writes
            .map(|(write, item)| {
                let action = match write.as_str() {
                    "ConditionCheck" => "dynamodb:ConditionCheckItem".to_owned(),
                    other => format!("dynamodb:{other}Item"),
                };
                let table = item.get("TableName").and_then(Value::as_str).unwrap_or_default();
                Right::new(action, arn("dynamodb", &format!("table/{table}")))
            })
            .collect()
    }

    /// A call of Lambda names its function in the path. Any other call is unknown here, and needs a
    /// right that no policy gives.
    fn right_by_path(&self) -> Right {
        let mut parts = self.target.split('/').skip_while(|part| *part != "functions");
        match (parts.next(), parts.next(), parts.next()) {
            (Some(_), Some(name), Some("invocations")) => {
                let name = name.rsplit(':').next().unwrap_or(name);
                Right::new("lambda:InvokeFunction", arn("lambda", &format!("function:{name}")))
            }
            _ => Right::new("unknown", &self.target),
        }
    }

    fn text(&self, field: &str) -> String {
        self.body.get(field).and_then(Value::as_str).unwrap_or_default().to_owned()
    }
}

/// Returns an ARN of the account that every test uses.
pub(super) fn arn(service: &str, rest: &str) -> String {
    format!("arn:aws:{service}:us-east-1:123456789012:{rest}")
}
