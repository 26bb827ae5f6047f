package giro

import (
	"errors"
	"time"
)

// Code names one way in which a request can be refused. The list is closed and
// append-only: clients branch on codes, so a code never changes its meaning.
type Code string

// The codes, by what the caller has to change. Their HTTP statuses stand in the
// api package, beside the text of their pages.
const (
	// The request cannot be read.
	CodeBodyRequired      Code = "body_required"
	CodeInvalidJSON       Code = "invalid_json"
	CodeBodyNotObject     Code = "body_must_be_object"
	CodeInvalidUTF8       Code = "invalid_utf8"
	CodeDuplicateKey      Code = "duplicate_key"
	CodeJSONTooDeep       Code = "json_too_deep"
	CodeJSONTooLarge      Code = "json_too_large"
	CodeBodyTooLarge      Code = "body_too_large"
	CodeInvalidID         Code = "invalid_id"
	CodeInvalidHeader     Code = "invalid_header"
	CodeInvalidLimit      Code = "invalid_limit"
	CodeInvalidPage       Code = "invalid_page"
	CodeInvalidSort       Code = "invalid_sort"
	CodeInvalidTime       Code = "invalid_time"
	CodeInvalidCursor     Code = "invalid_cursor"
	CodeInvalidParameter  Code = "invalid_parameter"
	CodeUnknownParameter  Code = "unknown_parameter"
	CodeRepeatedParameter Code = "repeated_parameter"
	CodeTooManyValues     Code = "too_many_values"
	CodeURITooLong        Code = "uri_too_long"
	CodeHeadersTooLarge   Code = "headers_too_large"
	CodeUnsupportedMedia  Code = "unsupported_media_type"
	CodeUnsupportedCoding Code = "unsupported_encoding"
	CodeMethodNotAllowed  Code = "method_not_allowed"
	CodeRouteUnknown      Code = "route_unknown"
	CodeCSRF              Code = "csrf"
	CodeLinkInvalid       Code = "link_invalid"

	// The caller may not.
	CodeUnauthenticated Code = "unauthenticated"
	CodeKeyRevoked      Code = "key_revoked"
	CodeForbidden       Code = "forbidden"
	CodeTestModeOnly    Code = "test_mode_only"
	CodeNotFound        Code = "not_found"

	// The request was read and is acceptable in no state.
	CodeMissingField        Code = "missing_field"
	CodeInvalidType         Code = "invalid_type"
	CodeInvalidFormat       Code = "invalid_format"
	CodeInvalidValue        Code = "invalid_value"
	CodeInvalidLength       Code = "invalid_length"
	CodeInvalidCharacters   Code = "invalid_characters"
	CodeTooLong             Code = "too_long"
	CodeUnknownField        Code = "unknown_field"
	CodeReadOnlyField       Code = "read_only_field"
	CodeAmountTooSmall      Code = "amount_too_small"
	CodeAmountTooLarge      Code = "amount_too_large"
	CodeAmountNotInteger    Code = "amount_not_integer"
	CodeAmountPrecision     Code = "amount_precision"
	CodeAmountFormat        Code = "amount_format"
	CodeCurrencyUnknown     Code = "currency_unknown"
	CodeCurrencyMismatch    Code = "currency_mismatch"
	CodeMetadataTooMany     Code = "metadata_too_many"
	CodeMetadataNotFlat     Code = "metadata_not_flat"
	CodeProviderUnknown     Code = "provider_unknown"
	CodeProviderUnavailable Code = "provider_unavailable"
	CodeMethodUnknown       Code = "method_unknown"
	CodeTokenInvalid        Code = "token_invalid"
	CodeNothingToUpdate     Code = "nothing_to_update"
	CodeStatusNotSettable   Code = "status_not_settable"
	CodeInvalidStatus       Code = "invalid_status"
	CodeChargeUnknown       Code = "charge_unknown"
	CodeCustomerUnknown     Code = "customer_unknown"
	CodeSourceUnknown       Code = "source_unknown"
	CodeAccountUnknown      Code = "account_unknown"
	CodeSameAccount         Code = "same_account"
	CodeDocumentInvalid     Code = "document_invalid"
	CodeKeyInvalid          Code = "key_invalid"
	CodeAccountInvalid      Code = "account_invalid"
	CodePhoneInvalid        Code = "phone_invalid"
	CodeEmailInvalid        Code = "email_invalid"
	CodeCardData            Code = "card_data_forbidden"
	CodeURLForbidden        Code = "url_forbidden"
	CodePortForbidden       Code = "port_forbidden"

	// The request is refused because of the present state.
	CodeInvalidState        Code = "invalid_state"
	CodeInFlight            Code = "in_flight"
	CodeInsufficientFunds   Code = "insufficient_funds"
	CodeBalanceOverflow     Code = "balance_overflow"
	CodeDuplicateReference  Code = "duplicate_reference"
	CodeBelowCaptured       Code = "amount_below_captured"
	CodeRefundExceeds       Code = "refund_exceeds_charge"
	CodeChargeNotRefundable Code = "charge_not_refundable"
	CodeAlreadyRefunded     Code = "already_refunded"
	CodeChargeDisputed      Code = "charge_disputed"
	CodeReversalExceeds     Code = "reversal_exceeds_transfer"
	CodeCaptureExceeds      Code = "capture_exceeds_charge"
	CodeAccountClosed       Code = "account_closed"
	CodeAccountNotEmpty     Code = "account_not_empty"
	CodeEndpointLimit       Code = "endpoint_limit"
	CodeQuoteExpired        Code = "quote_expired"
	CodeQuoteUsed           Code = "quote_used"
	CodeLastOwner           Code = "last_owner"
	CodeConflict            Code = "conflict"
	CodePreconditionFailed  Code = "precondition_failed"

	// Idempotency.
	CodeKeyRequired   Code = "idempotency_key_required"
	CodeKeyMalformed  Code = "idempotency_key_invalid"
	CodeKeyReused     Code = "idempotency_key_reused"
	CodeKeyInProgress Code = "idempotency_in_progress"

	// Come again.
	CodeRateLimited Code = "rate_limited"
	CodeUnavailable Code = "unavailable"
	CodeInternal    Code = "internal"
)

// Error is the one type in which a refusal leaves the domain. Each dialect has
// one function that renders it.
type Error struct {
	Code       Code
	Param      string        // JSON pointer into the body ("/card/token"), or the name of a parameter or header
	Message    string        // for the caller: what is wrong and what to do; never holds the refused value
	RetryAfter time.Duration // > 0 where the same request may succeed later
	Err        error         // the cause; logged, never shown
}

func (e *Error) Error() string {
	s := string(e.Code) + ": " + e.Message
	if e.Param != "" {
		s = string(e.Code) + " at " + e.Param + ": " + e.Message
	}
	if e.Err != nil {
		s += ": " + e.Err.Error()
	}
	return s
}

func (e *Error) Unwrap() error { return e.Err }

// Refuse returns the error of a refusal. param may be empty.
func Refuse(code Code, param, message string) *Error {
	return &Error{Code: code, Param: param, Message: message}
}

// AsError returns err as *Error. Whatever is not one is ours: CodeInternal
// around err.
func AsError(err error) *Error {
	var e *Error
	if errors.As(err, &e) {
		return e
	}
	return &Error{Code: CodeInternal, Message: "giro failed to answer; the request may be sent again with the same Idempotency-Key", Err: err}
}

// Is reports whether err is a refusal with this code.
func Is(err error, code Code) bool {
	var e *Error
	return errors.As(err, &e) && e.Code == code
}
