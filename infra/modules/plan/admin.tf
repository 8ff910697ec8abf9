locals {
  # A URL that was made lately asks for both permissions. The second holds for calls through the URL alone: what the URL
  # says of the caller is believed, so no caller may invoke the function past it.
  callers = var.admin.auth == "oidc" ? ["*"] : var.admin.principals
  admin_permissions = merge([
    for at, principal in local.callers : {
      "url-${at}" = {
        action                   = "lambda:InvokeFunctionUrl"
        principal                = principal
        function_url_auth_type   = local.url_authorization
        invoked_via_function_url = null
      }
      "function-${at}" = {
        action                   = "lambda:InvokeFunction"
        principal                = principal
        function_url_auth_type   = null
        invoked_via_function_url = true
      }
    }
  ]...)
  url_authorization = var.admin.auth == "oidc" ? "NONE" : "AWS_IAM"
}
