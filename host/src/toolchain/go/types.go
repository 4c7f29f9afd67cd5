// Package types has the values that generated bindings use and Go does not have.
package types

const (
	OptionNone uint8 = 0
	OptionSome uint8 = 1
	ResultOk   uint8 = 0
	ResultErr  uint8 = 1
)

// Unit is a value that says nothing.
type Unit struct{}

// Tuple2 is a pair.
type Tuple2[A, B any] struct {
	F0 A
	F1 B
}

// Option is a value or nothing.
type Option[T any] struct {
	tag   uint8
	value T
}

// None is no value.
func None[T any]() Option[T] { return Option[T]{} }

// Some is a value.
func Some[T any](value T) Option[T] { return Option[T]{OptionSome, value} }

// Tag is OptionNone or OptionSome.
func (o Option[T]) Tag() uint8 { return o.tag }

// IsSome says whether there is a value.
func (o Option[T]) IsSome() bool { return o.tag == OptionSome }

// IsNone says whether there is no value.
func (o Option[T]) IsNone() bool { return o.tag == OptionNone }

// Some is the value; it panics if there is none.
func (o Option[T]) Some() T {
	if o.tag != OptionSome {
		panic("there is no value")
	}
	return o.value
}

// SomeOr is the value, or another where there is none.
func (o Option[T]) SomeOr(other T) T {
	if o.tag == OptionSome {
		return o.value
	}
	return other
}

// Result is what a call returned or why it failed.
type Result[T, E any] struct {
	tag uint8
	ok  T
	err E
}

// Ok is the result of a call that worked.
func Ok[T, E any](value T) Result[T, E] { return Result[T, E]{tag: ResultOk, ok: value} }

// Err is the result of a call that failed.
func Err[T, E any](err E) Result[T, E] { return Result[T, E]{tag: ResultErr, err: err} }

// Tag is ResultOk or ResultErr.
func (r Result[T, E]) Tag() uint8 { return r.tag }

// IsOk says whether it worked.
func (r Result[T, E]) IsOk() bool { return r.tag == ResultOk }

// IsErr says whether it failed.
func (r Result[T, E]) IsErr() bool { return r.tag == ResultErr }

// Ok is what was returned; it panics if the call failed.
func (r Result[T, E]) Ok() T {
	if r.tag != ResultOk {
		panic("the call failed")
	}
	return r.ok
}

// Err is why it failed; it panics if the call worked.
func (r Result[T, E]) Err() E {
	if r.tag != ResultErr {
		panic("the call did not fail")
	}
	return r.err
}
