// The plugin crash-go as a component. What it does is in export_belfry_bot_handler.
package main

import _ "crash-go/gen/wit_exports"

func main() {}
