package httpx

import "reflect"

// Shape is what a route reads and what it answers with, for its description: the types that its handler reads a body
// into and writes an answer from.
type Shape struct {
	// Reads is nil where no body is read, Answers where none is written.
	Reads, Answers reflect.Type
	// Or is what it answers with instead, to some who ask.
	Or reflect.Type
	// Filled are members of the body that may be left out though their type asks for them: they are known of whoever
	// asks.
	Filled []string
	// Status of the answer where all went well, and Also others, each with its meaning.
	Status int
	Also   map[int]string
	// Media are the media types of body and answer, JSON where they are empty.
	ReadsMedia, Media string
}

// None is no body.
type None struct{}

// ShapeOf is a route that reads a B and answers with an A.
func ShapeOf[B, A any](status int) Shape {
	return Shape{Reads: typeOf[B](), Answers: typeOf[A](), Status: status}
}

// Gives is a route that reads no body and answers 200 with an A.
func Gives[A any]() Shape { return ShapeOf[None, A](200) }

// Takes is a route that reads a B and answers 200 with an A.
func Takes[B, A any]() Shape { return ShapeOf[B, A](200) }

func typeOf[T any]() reflect.Type {
	if t := reflect.TypeFor[T](); t != reflect.TypeFor[None]() {
		return t
	}
	return nil
}
