module crash-go

go 1.25

require go.bytecodealliance.org/pkg v0.2.2

// What the bindings need at run time is written there by `belfry plugin build`.
replace go.bytecodealliance.org/pkg => ./gen/runtime
