resource "aws_dynamodb_table" "cursor" {
  #checkov:skip=CKV_AWS_119:it holds hashes of public names; DynamoDB encrypts it with its own key, or `kms_keys` names one
  for_each = module.plan.tables

  name         = each.key
  billing_mode = "PAY_PER_REQUEST"
  hash_key     = "pk"
  range_key    = "sk"
  tags         = var.tags

  attribute {
    name = "pk"
    type = "S"
  }

  attribute {
    name = "sk"
    type = "S"
  }

  ttl {
    attribute_name = "expires_at"
    enabled        = true
  }

  point_in_time_recovery {
    enabled = true
  }

  server_side_encryption {
    enabled     = true
    kms_key_arn = var.kms_keys.table
  }
}
