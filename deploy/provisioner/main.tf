# A step of a provisioner: lend a name, point it at load balancers, wait until the world sees it, give it back in the end.
# `pdm` is its own client: PDM_URL and PDM_TOKEN come from the environment, so that neither is in the state.

terraform {
  required_version = ">= 1.6" # or OpenTofu 1.6
}

variable "fqdn" {
  type        = string
  description = "The name, as in omantel.omani.works."
}

variable "owner" {
  type        = string
  description = "To whom it is lent."
}

variable "load_balancers" {
  type        = list(object({ region = optional(string), ipv4 = optional(string), ipv6 = optional(string) }))
  description = "The addresses that the load balancers were given."
}

locals {
  document = jsonencode({
    apiVersion = "pdm.openova.io/v1alpha1"
    kind       = "SovereignDomain"
    metadata   = { name = replace(var.fqdn, ".", "-") }
    spec = {
      fqdn          = var.fqdn
      owner         = var.owner
      loadBalancers = [for lb in var.load_balancers : { for key, value in lb : key => value if value != null }]
    }
  })
}

# The name itself. Only another name replaces it, so that no change of an address ever releases it.
resource "terraform_data" "name" {
  input            = var.fqdn
  triggers_replace = [var.fqdn]

  provisioner "local-exec" {
    when        = destroy
    command     = "pdm release \"$FQDN\" --wait 900"
    environment = { FQDN = self.output }
  }
}

# Where it points: runs again whenever an address changes, and may be run again after any failure.
resource "terraform_data" "target" {
  triggers_replace = [terraform_data.name.id, local.document]

  provisioner "local-exec" {
    command     = "printf %s \"$DOCUMENT\" | pdm apply --file - --set provisioner --wait 900"
    environment = { DOCUMENT = local.document }
  }
}

output "console" {
  value      = "https://console.${var.fqdn}"
  depends_on = [terraform_data.target]
}
