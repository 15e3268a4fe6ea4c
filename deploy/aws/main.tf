# A change queue for dmsnet: EventBridge puts CloudTrail's events about the networks of this account and Region into an SQS
# queue. Apply it once in each Region; other Regions and accounts may send to the same queue (var.sources).
#
# It needs a trail that logs management events: without one EventBridge is told nothing.

terraform {
  required_version = ">= 1.5"
  required_providers {
    aws = {
      source  = "hashicorp/aws"
      version = ">= 5.0"
    }
  }
}

variable "name" {
  description = "Name of the queue; the other names begin with it."
  type        = string
  default     = "dmsnet-changes"
}

variable "sources" {
  description = "ARNs of rules in other Regions and accounts that may send to this queue."
  type        = list(string)
  default     = []
}

variable "tags" {
  description = "Tags of all that is made."
  type        = map(string)
  default     = {}
}

locals {
  rules = {
    calls    = "event-pattern.json"
    services = "service-event-pattern.json"
  }
}

resource "aws_sqs_queue" "dead" {
  name                      = "${var.name}-dead"
  message_retention_seconds = 1209600
  sqs_managed_sse_enabled   = true
  tags                      = var.tags
}

resource "aws_sqs_queue" "changes" {
  name = var.name
  # What is older than this was found by a sweep.
  message_retention_seconds  = 3600
  visibility_timeout_seconds = 60
  receive_wait_time_seconds  = 20
  sqs_managed_sse_enabled    = true
  redrive_policy = jsonencode({
    deadLetterTargetArn = aws_sqs_queue.dead.arn
    maxReceiveCount     = 5
  })
  tags = var.tags
}

resource "aws_sqs_queue_redrive_allow_policy" "dead" {
  queue_url = aws_sqs_queue.dead.id
  redrive_allow_policy = jsonencode({
    redrivePermission = "byQueue"
    sourceQueueArns   = [aws_sqs_queue.changes.arn]
  })
}

resource "aws_cloudwatch_event_rule" "changes" {
  for_each    = local.rules
  name        = "${var.name}-${each.key}"
  description = "What dmsnet looks at again (${each.key})"
  # Without white space: EventBridge counts characters.
  event_pattern = jsonencode(jsondecode(file("${path.module}/${each.value}")))
  tags          = var.tags
}

resource "aws_cloudwatch_event_target" "changes" {
  for_each = local.rules
  rule     = aws_cloudwatch_event_rule.changes[each.key].name
  arn      = aws_sqs_queue.changes.arn
}

resource "aws_sqs_queue_policy" "changes" {
  queue_url = aws_sqs_queue.changes.id
  policy    = data.aws_iam_policy_document.changes.json
}

# Only these rules may send; who may receive is said by dmsnet's own role (dmsnet iam-policy --change-queue ARN).
data "aws_iam_policy_document" "changes" {
  statement {
    sid       = "EventBridgeSends"
    actions   = ["sqs:SendMessage"]
    resources = [aws_sqs_queue.changes.arn]
    principals {
      type        = "Service"
      identifiers = ["events.amazonaws.com"]
    }
    condition {
      test     = "ArnEquals"
      variable = "aws:SourceArn"
      values   = concat([for rule in aws_cloudwatch_event_rule.changes : rule.arn], var.sources)
    }
  }
  statement {
    sid       = "OnlyByTLS"
    effect    = "Deny"
    actions   = ["sqs:*"]
    resources = [aws_sqs_queue.changes.arn]
    principals {
      type        = "*"
      identifiers = ["*"]
    }
    condition {
      test     = "Bool"
      variable = "aws:SecureTransport"
      values   = ["false"]
    }
  }
}

output "queue_url" {
  description = "For changeQueue.url of the class."
  value       = aws_sqs_queue.changes.url
}

output "queue_arn" {
  description = "For dmsnet iam-policy --change-queue."
  value       = aws_sqs_queue.changes.arn
}
