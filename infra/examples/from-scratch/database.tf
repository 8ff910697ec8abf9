resource "aws_db_subnet_group" "this" {
  name       = var.name
  subnet_ids = [for subnet in aws_subnet.private : subnet.id]
}

# One user for everything, so that no step by hand is between an empty account and the first chart. The guide says how
# to give the functions a user of their own.
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
  password                            = var.database_password
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

resource "aws_secretsmanager_secret" "database" {
  name        = "${var.name}-database"
  description = "The login of the chart discovery functions"
}

resource "aws_secretsmanager_secret_version" "database" {
  secret_id = aws_secretsmanager_secret.database.id
  secret_string = jsonencode({
    username = aws_db_instance.this.username
    password = var.database_password
    host     = aws_db_instance.this.address
    port     = aws_db_instance.this.port
    dbname   = aws_db_instance.this.db_name
  })
}

resource "aws_lambda_layer_version" "database_ca" {
  layer_name       = "${var.name}-database-ca"
  description      = "The certificates that RDS is checked against"
  filename         = var.database_ca_layer_zip
  source_code_hash = try(filebase64sha256(var.database_ca_layer_zip), null)
}
