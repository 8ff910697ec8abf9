locals {
  # A new Function URL requires both permissions. The second allows calls through the URL only, because `admin` trusts
  # what the URL says about the caller.
  callers = !var.admin.function_url ? [] : var.admin.auth == "oidc" ? ["*"] : var.admin.principals
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
