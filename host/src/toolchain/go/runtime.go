// Package runtime keeps memory where it is while the host reads or writes it.
package runtime

import (
	"runtime"
	"unsafe"
)

// What the host wrote, until Unpin.
var held = runtime.Pinner{}

func allocate(pinner *runtime.Pinner, size, align uintptr) unsafe.Pointer {
	if size == 0 {
		return unsafe.Pointer(align)
	}
	var memory unsafe.Pointer
	switch {
	case align <= 1:
		memory = unsafe.Pointer(unsafe.SliceData(make([]uint8, size)))
	case align <= 4:
		memory = unsafe.Pointer(unsafe.SliceData(make([]uint32, (size+3)/4)))
	default:
		memory = unsafe.Pointer(unsafe.SliceData(make([]uint64, (size+7)/8)))
	}
	pinner.Pin(memory)
	return memory
}

// Allocate makes memory that stays where it is until the pinner lets go of it.
func Allocate(pinner *runtime.Pinner, size, align uintptr) unsafe.Pointer {
	return allocate(pinner, size, align)
}

// Unpin lets go of what the host wrote.
func Unpin() { held.Unpin() }

//go:wasmexport cabi_realloc
func realloc(old unsafe.Pointer, oldSize, align, size uint32) unsafe.Pointer {
	fresh := allocate(&held, uintptr(size), uintptr(align))
	if old != nil {
		copy(unsafe.Slice((*byte)(fresh), size), unsafe.Slice((*byte)(old), min(oldSize, size)))
	}
	return fresh
}
