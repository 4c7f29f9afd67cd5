// The plugin {{name}} as a component. What it does is in export_belfry_bot_handler.
package main

import _ "{{name}}/gen/wit_exports"

func main() {}
