"""Route 53: refusals of a change in the brackets in which AWS puts them."""

from ministack.services import route53


def install():
    stock = route53._error_response

    def said(code, message, status=400):
        return stock(code, f"[{message}]" if code == "InvalidChangeBatch" else message, status)

    route53._error_response = said
