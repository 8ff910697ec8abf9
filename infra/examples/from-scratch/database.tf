resource "aws_db_subnet_group" "this" {
  name       = var.name
  subnet_ids = [for subnet in aws_subnet.private : subnet.id]
}

# RDS keeps the password of the owner in Secrets Manager, so that it is in no state. Only `migrate` reads it. The other
# functions log in by IAM, as a role that `migrate` makes and that may only read and write rows.
resource "aws_db_instance" "this" {
  identifier                          = var.name
  engine                              = "postgres"
  engine_version                      = "17"
  instance_class                      = "db.t4g.micro"
  allocated_storage                   = 20
  storage_type                        = "gp3"
  storage_encrypted                   = true
  db_name                             = "charts"
  username                            = "chart_owner"
  manage_master_user_password         = true
  db_subnet_group_name                = aws_db_subnet_group.this.name
  vpc_security_group_ids              = [aws_security_group.database.id]
  iam_database_authentication_enabled = true
  backup_retention_period             = 7
  auto_minor_version_upgrade          = true
  copy_tags_to_snapshot               = true
  deletion_protection                 = var.deletion_protection
  skip_final_snapshot                 = !var.deletion_protection
  final_snapshot_identifier           = var.deletion_protection ? "${var.name}-last" : null
}

resource "aws_lambda_layer_version" "database_ca" {
  layer_name       = "${var.name}-database-ca"
  description      = "The certificates that RDS is checked against"
  filename         = var.database_ca_layer_zip
  source_code_hash = try(filebase64sha256(var.database_ca_layer_zip), null)
}
