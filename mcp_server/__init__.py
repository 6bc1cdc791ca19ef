"""The face of Stratum: MCP server and command line, translating protocol to and from `tools`."""
