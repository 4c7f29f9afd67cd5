// The plugin hello-go as a component. What it does is in export_belfry_bot_handler.
package main

import _ "hello-go/gen/wit_exports"

func main() {}
