"""A complete production configuration, with values that belong to nobody."""

PRODUCTION = {
    "CONSOLE_BASE_URL": "https://console.example.com",
    "SECRET_KEY": "fP3x-Lr8mQ0vYt5kWz7nBc2jHd9sGa4eUi6oXq1pRy_TbNwKj7e",
    "CREDENTIAL_PEPPERS": "2026a:base64,AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=",
    "ACCESS_TOKEN_KEYS": "20260131:base64,EBESExQVFhcYGRobHB0eHwABAgMEBQYHCAkKCwwNDg8=",
    "ENCRYPTION_KEYS": "base64,Hx4dHBsaGRgXFhUUExIREA8ODQwLCgkIBwYFBAMCAQA=",
    "DATABASE_URL": "postgresql://console:database-password@db.example.com:5432/console",
    "REDIS_URL": "redis://redis.example.com:6379/0",
    "OFFICE365_CLIENT_ID": "00000000-0000-4000-8000-00000000c11e",
    "OFFICE365_CLIENT_SECRET": "office365-client-secret",
    "OFFICE365_TENANTS": "00000000-0000-4000-8000-0000000000aa",
    "TWILIO_ACCOUNT_SID": "AC00000000000000000000000000000000",
    "TWILIO_AUTH_TOKEN": "twilio-auth-token",
    "TWILIO_FROM": "+15005550006",
    "EMAIL_HOST": "mail.example.com",
    "EMAIL_FROM": "Kaizala Console <console@example.com>",
}
