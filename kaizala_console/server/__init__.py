"""The web server: h11 reads requests, uvicorn keeps the loop, threads call the WSGI application. Why: docs/adr/0068.

python -m kaizala_console.server [--host …] [--port …] [--workers …]
"""
