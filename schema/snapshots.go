package schema

import "github.com/apache/arrow/go/v17/arrow"

// The canonical snapshots: the columns that the configuration's defaults expect,
// as Arrow schemas. An input may have more columns, other names and other types
// that serve (contract: ids may be strings, integers or 16-byte UUIDs); these are
// the ones a newcomer is shown and the sample is written in.

var (
	utcMicros = &arrow.TimestampType{Unit: arrow.Microsecond, TimeZone: "UTC"}
	text      = arrow.BinaryTypes.String
)

// ConsentSnapshot is the history of every consent switch: one row an event.
func ConsentSnapshot() *arrow.Schema {
	return arrow.NewSchema([]arrow.Field{
		{Name: "account_id", Type: text},
		{Name: "category", Type: text},
		{Name: "opted_in", Type: arrow.FixedWidthTypes.Boolean},
		{Name: "effective_at", Type: utcMicros},
		{Name: "sequence", Type: arrow.PrimitiveTypes.Int64},
	}, nil)
}

// DeletionSnapshot is the ledger of deletion requests in force: one row a request.
func DeletionSnapshot() *arrow.Schema {
	return arrow.NewSchema([]arrow.Field{
		{Name: "account_id", Type: text},
		{Name: "requested_at", Type: utcMicros},
		{Name: "request_id", Type: text},
	}, nil)
}

// RestrictionSnapshot lists contracts' no-AI clauses: one row a span.
func RestrictionSnapshot() *arrow.Schema {
	return arrow.NewSchema([]arrow.Field{
		{Name: "contract_id", Type: text},
		{Name: "from", Type: utcMicros},
		{Name: "until", Type: utcMicros, Nullable: true},
	}, nil)
}

// AccountSnapshot is the registry of known accounts.
func AccountSnapshot() *arrow.Schema {
	return arrow.NewSchema([]arrow.Field{{Name: "account_id", Type: text}}, nil)
}

// MessageSnapshot is the canonical snapshot of messages.
func MessageSnapshot() *arrow.Schema {
	return arrow.NewSchema([]arrow.Field{
		{Name: "message_id", Type: text},
		{Name: "contract_id", Type: text, Nullable: true},
		{Name: "room_id", Type: text},
		{Name: "freelancer_id", Type: text, Nullable: true},
		{Name: "client_id", Type: text, Nullable: true},
		{Name: "sender_id", Type: text, Nullable: true},
		{Name: "sent_at", Type: utcMicros, Nullable: true},
		{Name: "edited_at", Type: utcMicros, Nullable: true},
		{Name: "body", Type: text, Nullable: true},
		{Name: "attachments", Type: arrow.PrimitiveTypes.Int32},
	}, nil)
}

// DeliverableSnapshot is the canonical snapshot of deliverables.
func DeliverableSnapshot() *arrow.Schema {
	return arrow.NewSchema([]arrow.Field{
		{Name: "deliverable_id", Type: text},
		{Name: "contract_id", Type: text, Nullable: true},
		{Name: "freelancer_id", Type: text, Nullable: true},
		{Name: "client_id", Type: text, Nullable: true},
		{Name: "created_at", Type: utcMicros, Nullable: true},
		{Name: "submitted_at", Type: utcMicros, Nullable: true},
		{Name: "kind", Type: text},
		{Name: "title", Type: text, Nullable: true},
		{Name: "content", Type: arrow.BinaryTypes.Binary, Nullable: true},
		{Name: "metadata", Type: arrow.StructOf(
			arrow.Field{Name: "format", Type: text, Nullable: true},
			arrow.Field{Name: "tags", Type: arrow.ListOf(text), Nullable: true},
			arrow.Field{Name: "revision", Type: arrow.PrimitiveTypes.Int32, Nullable: true},
		), Nullable: true},
	}, nil)
}

// EventSnapshot is the canonical snapshot of platform events.
func EventSnapshot() *arrow.Schema {
	return arrow.NewSchema([]arrow.Field{
		{Name: "event_id", Type: text},
		{Name: "account_id", Type: text, Nullable: true},
		{Name: "target_account_id", Type: text, Nullable: true},
		{Name: "occurred_at", Type: utcMicros, Nullable: true},
		{Name: "kind", Type: text},
		{Name: "properties", Type: arrow.MapOf(text, text), Nullable: true},
	}, nil)
}
