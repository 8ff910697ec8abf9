resource "aws_lambda_function_url" "admin" {
  #checkov:skip=CKV_AWS_258:with `oidc` the program itself requires a login; a browser cannot sign for IAM
  count = module.plan.admin.function_url ? 1 : 0

  function_name      = aws_lambda_function.function["admin"].function_name
  authorization_type = module.plan.admin.authorization
}

resource "aws_lambda_permission" "admin" {
  #checkov:skip=CKV_AWS_301:with `oidc` the program itself requires a login
  #checkov:skip=CKV_AWS_364:callers are principals of IAM, or with `oidc` all callers; there is no source to name
  for_each = module.plan.admin.permissions

  statement_id             = "${var.name}-${each.key}"
  function_name            = aws_lambda_function.function["admin"].function_name
  action                   = each.value.action
  principal                = each.value.principal
  function_url_auth_type   = each.value.function_url_auth_type
  invoked_via_function_url = each.value.invoked_via_function_url
}
